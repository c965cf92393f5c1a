"""From settings to a sink."""

from monitor.config.settings import NoticeSettings
from monitor.telling.command import Command
from monitor.telling.mqtt import Mqtt
from monitor.telling.plain import ByApprise, Log
from monitor.telling.sink import Sink


def open_sink(settings: NoticeSettings) -> Sink:
    """The way of telling that they describe; nothing is asked of the other side yet.

    Raises:
        UsageError: The address or program is none.
    """
    match settings.kind:
        case "webhook":
            from monitor.telling.webhook import Webhook  # a tenth of a second for httpx

            return Webhook(settings)
        case "mqtt":
            return Mqtt(settings)
        case "apprise":
            return ByApprise(settings)
        case "command":
            return Command(settings)
        case "log":
            return Log()
