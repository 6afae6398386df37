# Takes out of .js, .css and .html what only their authors need: blanks at both ends of lines, comments that have lines
# to themselves, empty lines.  Lines are never joined, and no template literal of the page has more than one.
s/^ *//
s/ *$//
/^\/\//d
/^\/\*.*\*\/$/d
/^<!--.*-->$/d
/^\/\*/{
    /\*\//!{
        :script
        N
        /\*\/ *$/!b script
        d
    }
}
/^<!--/{
    :markup
    N
    /--> *$/!b markup
    d
}
/^$/d
