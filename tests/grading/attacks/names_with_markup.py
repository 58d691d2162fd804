# Tries: to put markup, formulas and control characters into reports, by every name and text that may be shown.
# Statuses: error
TEXT = ("<script>alert(1)</script>]]>&lt; | `x` ![i](http://example.com/x.png) [[link]] \x1b[2J\x1b]0;t\x07 \u202e "
        "=cmd|' /C calc'!A0 \n::set-output name=x::y\n##[error]z\r\n\x00")
Error = type(TEXT.replace("\x00", ""), (Exception,), {})
globals()[TEXT] = 1
print(TEXT)


def centre(x):
    raise Error(TEXT)
