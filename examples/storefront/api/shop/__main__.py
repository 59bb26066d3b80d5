"""python -m shop: serves the API on HOST:PORT (0.0.0.0:8000) and keeps orders at NATS_URL."""

import asyncio
import contextlib
import os
import sys

import uvicorn
from nats.js.errors import NotFoundError
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from .orders import NewOrder, Orders, UnknownItem

STARTS_WITHIN = 30
"""Seconds to wait for the data service: services of a system start in any order."""


async def connect(url: str) -> Orders:
    deadline = asyncio.get_running_loop().time() + STARTS_WITHIN
    while True:
        try:
            return await Orders.connect(url)
        except Exception as error:  # whatever the client says while the server is not up yet
            if asyncio.get_running_loop().time() > deadline:
                raise
            print(f"waiting for {url}: {error}", file=sys.stderr)
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette):
    app.state.orders = await connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    yield
    await app.state.orders.close()


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "orders": await request.app.state.orders.size()})


async def place(request: Request) -> JSONResponse:
    try:
        order = NewOrder.model_validate_json(await request.body())
        return JSONResponse(await request.app.state.orders.place(order), status_code=201)
    except ValidationError as error:
        return JSONResponse({"error": "not an order", "fields": error.errors(include_url=False)}, status_code=422)
    except UnknownItem as error:
        return JSONResponse({"error": f"no such item: {error}"}, status_code=404)


async def read(request: Request) -> JSONResponse:
    try:
        return JSONResponse(await request.app.state.orders.read(request.path_params["sequence"]))
    except NotFoundError:
        return JSONResponse({"error": "no such order"}, status_code=404)


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/health", health),
        Route("/orders", place, methods=["POST"]),
        Route("/orders/{sequence:int}", read),
    ],
)

if __name__ == "__main__":
    uvicorn.run(
        app,
        host=os.environ.get("HOST", "0.0.0.0"),
        port=int(os.environ.get("PORT", "8000")),
        http="httptools",
        log_level="warning",
    )
