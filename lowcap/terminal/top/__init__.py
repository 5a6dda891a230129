"""``lowcapctl top``: pure pages, one model, and a thin full-screen shell around them."""
