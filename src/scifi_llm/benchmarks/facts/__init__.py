"""Facts of a story and the rules that find where a text keeps or contradicts them."""
