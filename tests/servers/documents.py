"""The clients of the documents, as they stand there: what a reader types, and what his page runs."""

HOSTS = ("localhost:8000", "127.0.0.1:8000")  # the only thing that is put in place of another

SIMPLE = "".join(f"数据 {number}\n" for number in range(10))
ITEMS = [f'{{"id": {number}, "message": "数据项 {number}", "timestamp": 0}}\n' for number in range(5)]
CLEANUP = [f"使用 数据库连接 获取数据 {number}\n" for number in range(5)]
# Each with what it prints; where the documents show that, it is theirs, but for what the time is.
CURL = {
    "curl http://127.0.0.1:8000/infer/home": '"OK"',
    "curl -N http://127.0.0.1:8000/infer/predict": "你好\n這是\n測試\nStream\n輸出\n並且\n同步\n發送\n訊息\n",
    "curl http://localhost:8000/simple": SIMPLE,
    "curl http://localhost:8000/json/3": "".join(ITEMS[:3]),
    "curl http://localhost:8000/json/5": "".join(ITEMS),
    "curl http://localhost:8000/cleanup": "".join([*CLEANUP, "资源已释放\n"]),
    "curl http://localhost:8000/stream": "".join(f"data: {number}\n\n" for number in range(5)),
    'curl http://localhost:8000/chat?prompt="Hello"': "",  # whatever the model says
}
INTERRUPTED = "curl http://localhost:8000/disconnect"

HTTPX_LINE = """python -c "import httpx; print(httpx.get('http://localhost:8000/simple').text)\""""
HTTPX = """
import httpx

# 接收流式响应
async with httpx.AsyncClient() as client:
    async with client.stream('GET', 'http://localhost:8000/simple') as response:
        async for chunk in response.aiter_text():
            print(chunk, end='')  # 逐步输出
"""

FETCH = """
// 接收流式响应
async function fetchStream() {
    const response = await fetch('http://localhost:8000/simple');
    const reader = response.body.getReader();
    const decoder = new TextDecoder();

    while (true) {
        const { done, value } = await reader.read();
        if (done) break;

        const text = decoder.decode(value);
        console.log(text);  // 逐步输出
        document.body.innerText += text;
    }
}

fetchStream();
"""
EVENTS = """
const evtSource = new EventSource('/events');
evtSource.onmessage = (e) => console.log(JSON.parse(e.data));
"""
CHAT = """
const source = new EventSource('/chat-sse?prompt=Hello');
source.onmessage = (event) => {
    const data = JSON.parse(event.data);
    console.log(data.content);
};
"""
VISITED = "http://localhost:8000/logs/stream"
