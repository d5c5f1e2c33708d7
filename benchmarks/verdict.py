"""How often the verdict is right: made-up ensembles with known answers, as a confusion table.

python benchmarks/verdict.py [repeats]
"""

import sys
import time

from aiida_enne.science.uncertainty.simulated import SCENARIOS, WORDS, confusion


def main(repeats: int = 400) -> None:
    """Print the share of every verdict by scenario, members and blocks."""
    right = {one.name: ' or '.join(one.right) for one in SCENARIOS}
    print('| M | blocks | scenario | right is | ' + ' | '.join(WORDS) + ' |')
    print('|---|---|---|---|' + len(WORDS) * '---|')
    start = time.perf_counter()
    for members in (4, 8, 30):
        for blocks in (6, 20):
            for name, shares in confusion(members, blocks, 5, repeats).items():
                cells = ' | '.join(f'{shares[word]:.2f}' for word in WORDS)
                print(f'| {members} | {blocks} | {name} | {right[name]} | {cells} |', flush=True)
    print(f'\n{repeats} ensembles each, {time.perf_counter() - start:.0f} s')


if __name__ == '__main__':
    main(*map(int, sys.argv[1:]))
