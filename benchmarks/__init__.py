"""Speed, as ratios, measured in one run beside what one would pick instead."""
