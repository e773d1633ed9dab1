"""Why a text has no value."""


class UnreadableError(Exception):
    """This reader does not know the notation; another one may."""


class RefusedError(Exception):
    """No reader may have this text: too large, ambiguous, undefined, or no mathematics."""
