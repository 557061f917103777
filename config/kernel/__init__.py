"""The ground: what two or more apps need and that names none of them."""
