from fastapi import FastAPI

from assistant import agent, chat, download, export, progress, proxy

app = FastAPI(title="Assistant")
for service in (proxy, chat, export, download, progress, agent):
    app.include_router(service.router)
