"""What the supervisor asks the router, at a Unix socket of the endpoint's directory."""

from aiohttp import web

from isocenter.servers.router.proxy import Proxy

CONTROL_SOCKET = "router.sock"


def control_app(proxy: Proxy) -> web.Application:
    """``POST /routes``: take up the file of routes. ``GET /state``: what is under way, and counts."""

    async def load(_: web.Request) -> web.Response:
        return web.json_response({"rollout": proxy.load().rollout})

    async def state(_: web.Request) -> web.Response:
        observed = {route.reference: proxy.tallies[route.key].as_json() for route in proxy.routes.routes}
        return web.json_response(
            {"rollout": proxy.routes.rollout, "in_flight": proxy.in_flight(), "observed": observed}
        )

    app = web.Application()
    app.add_routes([web.post("/routes", load), web.get("/state", state)])
    return app
