"""How large, how deep and how many: the bounds of what is read, all in one place.

A file may come from anyone. What is beyond a bound is refused in a line that names the bound, so
that no file takes more memory than the profile in it needs, or more time than its size explains.
docs/reliability.md lists them with the largest real ones.
"""

MB = 1 << 20

# Text of a recording. perf prints lines of some kilobytes: 32 branches with the names of C++
# functions are the longest.
LONGEST_LINE = MB
MOST_LINES_AT_ONCE = MB  # some 200 bytes are held for each line that is being parsed
