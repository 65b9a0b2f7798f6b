"""A server that speaks MCP, over its pipes or at an address.

python server_of_tools.py         over its pipes
python server_of_tools.py FD      at /mcp, on a socket that listens
"""

import asyncio
import os
import sys

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("tools of a test")


@server.tool()
def add(a: int, b: int) -> int:
  """Adds two numbers."""
  return a + b


@server.tool(name="weather.now")
def weather(city: str) -> str:
  """Tells the weather in a city."""
  if city == "atlantis":
    raise ToolError("there is no such city")
  return f"22 degrees in {city}"


@server.tool()
def process() -> int:
  """Tells the number of this process."""
  return os.getpid()


@server.tool()
def long() -> str:
  """Tells a lot."""
  return "x" * 10**6


@server.tool()
async def slow() -> str:
  """Takes its time."""
  await asyncio.sleep(30)
  return "at last"


@server.tool()
def crash() -> str:
  """Ends the server."""
  print("the user said: hello", file=sys.stderr, flush=True)
  os._exit(3)


if __name__ == "__main__":
  if len(sys.argv) == 1:
    server.run()
  else:
    uvicorn.run(
      server.streamable_http_app(), fd=int(sys.argv[1]), log_level="error"
    )
