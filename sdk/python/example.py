from mcp_hub_client import Provider

provider = Provider("example")


@provider.tool()
async def greet(name: str) -> str:
    """Greets someone by name."""
    return f"Hello, {name}!"


provider.run("http://127.0.0.1:8080")
