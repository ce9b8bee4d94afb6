select code, text, samples
from limitation
