"""Analysis tools: pictures and tables of recorded metrics and weights; see :mod:`.tools`."""
