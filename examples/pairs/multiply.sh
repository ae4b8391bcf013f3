# Prints the product of two numbers.
echo $(($1 * $2))
