"""Prints one entry of the product of two matrices: row I of the left one times column J of the right one."""
import csv
import sys


def matrix(name):
    with open(name, newline="") as file:
        return [[int(entry) for entry in row] for row in csv.reader(file)]


i, j = map(int, sys.argv[1:])
left, right = matrix("left.csv"), matrix("right.csv")
print(sum(left[i][k] * right[k][j] for k in range(len(right))))
