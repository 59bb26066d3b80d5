"""Orders in a JetStream stream: an order counts only when the stream has it, so it is read back from there."""

import uuid

import nats
import orjson
from nats.js.api import StorageType, StreamConfig
from pydantic import BaseModel, Field

from .catalogue import PRICES

STREAM = "ORDERS"
SUBJECT = "orders.placed"


class NewOrder(BaseModel):
    item: str = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=1_000)


class UnknownItem(Exception):
    pass


class Orders:
    def __init__(self, client, stream):
        self._client = client
        self._stream = stream

    @classmethod
    async def connect(cls, url: str) -> "Orders":
        client = await nats.connect(url, name="storefront-api", connect_timeout=2, max_reconnect_attempts=-1)
        stream = client.jetstream(timeout=5)
        await stream.add_stream(StreamConfig(name=STREAM, subjects=["orders.>"], storage=StorageType.FILE, max_msgs=10_000))
        return cls(client, stream)

    async def place(self, order: NewOrder) -> dict:
        price = PRICES.get(order.item)
        if price is None:
            raise UnknownItem(order.item)
        placed = {
            "id": str(uuid.uuid4()),
            "item": order.item,
            "quantity": order.quantity,
            "total": price * order.quantity,
        }
        acknowledged = await self._stream.publish(SUBJECT, orjson.dumps(placed))
        return await self.read(acknowledged.seq)

    async def read(self, sequence: int) -> dict:
        message = await self._stream.get_msg(STREAM, sequence)
        return {**orjson.loads(message.data), "sequence": message.seq}

    async def size(self) -> int:
        return (await self._stream.stream_info(STREAM)).state.messages

    async def close(self) -> None:
        await self._client.drain()
