# Prints FILE:LINE: PROTOTYPE of every function of a header that no comment stands above.
# Prototypes that follow each other without an empty line share the comment of the first.
# An inline function shows its body, which is contract enough.
FNR == 1 { commented = inside = depth = 0 }
inside || /^[ \t]*\/\*/ { # comments
    inside = !/\*\//
    commented = 1
    next
}
/^[ \t]*\/\// { commented = 1; next }
/^#/ { # preprocessor, with its continued lines
    while (/\\$/ && (getline) > 0) {}
    commented = 0
    next
}
depth == 0 && !continued && /^[A-Za-z_][A-Za-z0-9_ *]*\(/ && !/^(typedef|static inline|__attribute__|_Static_assert|static_assert)/ {
    if (!commented)
        print FILENAME ":" FNR ": " $0
}
/^$/ { commented = 0 }
{
    line = $0
    gsub(/\/\*.*\*\/|"[^"]*"/, "", line)
    opened = gsub(/{/, "", line)
    closed = gsub(/}/, "", line)
    depth += opened - closed
    continued = depth == 0 && !closed && line !~ /;|^$/
    if (opened || closed)
        commented = 0
}
