"""Which samples count: --comm, --pid, --cpu, --dso, --subsystem, --cgroup, --skip, --until."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which samples count. Texts are globs; times are seconds from a profile's first sample."""

    comm: str | None = None
    pid: int | None = None
    cpu: int | None = None
    dso: str | None = None
    subsystem: str | None = None
    cgroup: str | None = None
    from_s: float | None = None
    to_s: float | None = None

    @property
    def of_samples(self) -> bool:
        """Whether the rollup cannot answer."""
        asked = (self.pid, self.cpu, self.cgroup, self.from_s, self.to_s)
        return any(value is not None for value in asked)

    def span(self, first_ns: int) -> dict[str, int | None]:
        """The times to look at on a recording's clock."""
        ends = {"from_ns": self.from_s, "to_ns": self.to_s}
        return {k: None if s is None else first_ns + round(s * 1e9) for k, s in ends.items()}

    def kept(self, duration_s: float | None) -> float:
        """The part of a run's time that is looked at."""
        if not duration_s:
            return 1.0
        end = min(self.to_s if self.to_s is not None else duration_s, duration_s)
        return max(end - (self.from_s or 0.0), 0.0) / duration_s
