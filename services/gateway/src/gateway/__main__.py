"""`python -m gateway`: the public API, the model plane and the metrics, in one process."""

from __future__ import annotations

import asyncio
import gc

if __name__ == "__main__":
    gc.disable()  # what is imported is no garbage: `keep_garbage_cheap` looks for it again

import uvloop

from gateway.bootstrap import create_app, create_metrics_app, create_model_plane, open_dependencies
from gateway.server.certificates import open_certificate
from gateway.server.listeners import listener, raise_file_limit, serve_all
from gateway.server.proxies import TrustedProxies
from gateway.settings import GatewaySettings
from servicekit.core.garbage import keep_garbage_cheap
from servicekit.sql.migrations import refused_in_words
from servicekit.telemetry.logs import configure_logging
from servicekit.telemetry.spans import close_tracing, configure_tracing


async def _run(settings: GatewaySettings) -> None:
    configure_tracing(settings, "gateway")
    try:
        await _serve(settings)
    finally:
        await asyncio.to_thread(close_tracing)


async def _serve(settings: GatewaySettings) -> None:
    async with open_certificate(settings) as tls, open_dependencies(settings) as deps:
        plane = create_model_plane(settings, deps)
        public = TrustedProxies(create_app(settings, deps), settings.trusted_proxies)
        listeners = (
            listener(public, settings, settings.host, settings.port, settings.listen_fd, tls),
            listener(plane, settings, settings.model_plane_host, settings.model_plane_port),
            listener(create_metrics_app(), settings, settings.metrics_host, settings.metrics_port),
        )
        keep_garbage_cheap()
        await serve_all(listeners)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = GatewaySettings()
    configure_logging(settings, "gateway")
    raise_file_limit(settings.open_calls)
    with refused_in_words(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))


if __name__ == "__main__":
    main()
