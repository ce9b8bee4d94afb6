"""What an answer is about, as typed: --where --event --comm --not-comm --pid --cpu --dso
--subsystem --cgroup --skip --until. One set for all questions. Light: the help needs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which profiles and which of their samples count.

    `where` are selectors that all hold; of every other option any value may hold. Texts are globs,
    times are seconds from a profile's first sample.
    """

    where: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    comm: tuple[str, ...] = ()
    not_comm: tuple[str, ...] = ()
    pid: tuple[int, ...] = ()
    cpu: tuple[int, ...] = ()
    dso: tuple[str, ...] = ()
    subsystem: tuple[str, ...] = ()
    cgroup: tuple[str, ...] = ()
    from_s: float | None = None
    to_s: float | None = None

    @property
    def has_times(self) -> bool:
        """Whether only a part of each run's time counts."""
        return self.from_s is not None or self.to_s is not None

    def kept(self, duration_s: float | None) -> float:
        """The part of a run's time that is looked at."""
        if not duration_s:
            return 1.0
        end = min(self.to_s if self.to_s is not None else duration_s, duration_s)
        return max(end - (self.from_s or 0.0), 0.0) / duration_s

    def words(self, *names: str) -> str:
        """The options that choose samples (of these names), as they may be typed again."""
        return " ".join(
            [
                f"--{name.replace('_', '-')} {value}"
                for name in names or OF_SAMPLES
                for value in getattr(self, name)
            ]
            + ([] if names else self._times())
        )

    def _times(self) -> list[str]:
        ends = {"--skip": self.from_s, "--until": self.to_s}
        return [f"{option} {seconds:g}s" for option, seconds in ends.items() if seconds is not None]


OF_SAMPLES = ("comm", "not_comm", "pid", "cpu", "dso", "subsystem", "cgroup")
