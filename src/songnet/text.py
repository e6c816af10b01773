"""How shares of tracks are written, in sentences, tables and pages."""


def percent(share: float) -> str:
    """A share: 53.4 %."""
    return f"{100 * share:.1f} %"


def signed_points(difference: float) -> str:
    """A difference of two shares in points, with its sign: +9.7, −0.4; what rounds to 0 is +0.0."""
    return f"{round(100 * difference, 1) + 0.0:+.1f}".replace("-", "−")
