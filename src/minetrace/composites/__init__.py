"""One clear picture from many cloudy ones."""
