"""The one place that joins the rooms."""
