"""How people meet minetrace."""
