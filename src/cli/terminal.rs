//! Writing to the person or program at the other end: answers on stdout, everything else on stderr.

use std::io::{self, ErrorKind, IsTerminal, Write};

use super::failure::Failure;

/// Writes a line of the answer. Whoever stops reading early, as `head` does, has enough: no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Tells the person something beside the answer. There is nobody to tell when that fails.
pub(super) fn say(text: &str) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// Columns of the terminal that stdout is; `None` when it is a file or a pipe.
pub(super) fn width() -> Option<usize> {
    let size = io::stdout().is_terminal().then(|| console::Term::stdout().size_checked());
    size.flatten().map(|(_, columns)| usize::from(columns))
}

/// Foreign text on one line, without characters that would steer the terminal.
pub(super) fn line(text: &str) -> String {
    let clean = |c: char| if c.is_control() && !c.is_whitespace() { '\u{fffd}' } else { c };
    text.split_whitespace()
        .map(|word| word.chars().map(clean).collect())
        .collect::<Vec<String>>()
        .join(" ")
}

/// Foreign text that keeps its lines, without characters that would steer the terminal.
pub(super) fn lines(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(line("two\n  lines\x1b[2J"), "two lines\u{fffd}[2J");
        assert_eq!(lines("two\n  lines\x1b[2J"), "two\n  lines\u{fffd}[2J");
    }
}
