"""Why a challenge is not served or an answer not taken; each has one reply code at the door."""


class NothingToAsk(LookupError):
    """No image is left for this annotator; the message says why."""


class ProjectPaused(RuntimeError):
    """The project is paused: it serves no grids."""


class AnnotatorPaused(RuntimeError):
    """The annotator is paused: no grids, no votes."""


class ChallengeNotFound(LookupError):
    """No such challenge, or someone else's: the two are told apart to nobody."""


class ChallengeExpired(RuntimeError):
    """Its time is over; nothing was stored."""


class ChallengeSpent(RuntimeError):
    """It was answered in another way before; the first answer stands."""


class BadAnswer(ValueError):
    """The answer names places that the grid does not have."""


class TooBusy(RuntimeError):
    """Requests got in each other's way; nothing was stored, and the next try may pass."""
