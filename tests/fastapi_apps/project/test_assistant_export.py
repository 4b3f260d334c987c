from fastapi.testclient import TestClient


def test_csv(client: TestClient) -> None:
    response = client.get("/orders.csv", params={"count": 3}, headers={"cookie": "user=ada"})
    assert response.text == "id,amount\n1,1.5\n2,3.0\n3,4.5\n"
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="orders-ada.csv"'


def test_json_lines(client: TestClient) -> None:
    response = client.get("/orders.jsonl", params={"count": 2})
    assert response.text == '{"id":1,"amount":1.5}\n{"id":2,"amount":3.0}\n'
    assert response.headers["content-type"] == "application/jsonl"


def test_many_rows(client: TestClient) -> None:
    assert client.get("/orders.csv", params={"count": 5000}).text.count("\n") == 5001
