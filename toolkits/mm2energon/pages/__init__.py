"""Pages: what a report is drawn with, as HTML and SVG without scripts, and as lines for a terminal.

Nothing here knows what is reported; texts and numbers come in, and every text is escaped on its way.

markup    elements of HTML, escaped by construction
numbers   numbers as people read them, and the ticks of an axis
bins      how often values lie where: bars of a histogram
charts    histograms with cumulative curves, and scattered points, as inline SVG
document  the page around it all: its style, its head
lines     bars for a terminal
"""
