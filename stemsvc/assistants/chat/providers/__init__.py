"""Language models as an option of conversations. Only `adapter` knows the library that speaks to them."""
