"""Three trivial steps in metaflow. Started by ``bench/startup.py`` as ``python startup_metaflow.py run``."""

from metaflow import FlowSpec, step


class Trivial(FlowSpec):
    """Start, middle, end; each does nothing."""

    @step
    def start(self):
        """First."""
        self.next(self.middle)

    @step
    def middle(self):
        """Second."""
        self.next(self.end)

    @step
    def end(self):
        """Third."""


if __name__ == "__main__":
    Trivial()
