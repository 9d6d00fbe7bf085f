"""What the devices' time costs: in the client's account and in the metrics."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.jobstore.usage import Usage
from stemsvc.observe import metrics
from stemsvc.observe.harmless import harmless


@dataclass(frozen=True)
class Spending:
    """Notes how long a device computed for a job. Its time has a price."""

    usage: Usage
    price_per_hour: float
    currency: str

    def cost(self, device_seconds: float) -> float:
        """The price of so many seconds, in the currency."""
        return device_seconds / 3600 * self.price_per_hour

    def note(
        self, job_id: str, work: tuple[str, str, str], device_seconds: float, used_seconds: float, whole: bool
    ) -> None:
        """Count the seconds, also those of an attempt that fails: then the track is not computed as a `whole`.

        `work` is the kind, the model and the device, `used_seconds` how much of the track was computed.
        """
        with harmless():  # a figure is not worth a job
            self.usage.spend(job_id, device_seconds, used_seconds)
        metrics.computed(*work, device_seconds, used_seconds if whole else 0.0)
        metrics.spent(self.cost(device_seconds), self.currency)
