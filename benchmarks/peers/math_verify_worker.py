"""Grades pairs with Math-Verify; runs in its own environment.

Reads JSON lines with gold and answer, writes for each the verdict and the CPU seconds it took.
"""

import json
import logging
import sys
import time

from math_verify import parse, verify

logging.disable(logging.CRITICAL)
for line in sys.stdin:
    pair = json.loads(line)
    started = time.process_time()
    equal = bool(verify(parse(pair["gold"]), parse(pair["answer"])))
    sys.stdout.write(json.dumps([equal, time.process_time() - started]) + "\n")
    sys.stdout.flush()
