select event, unit, frequency
from event
