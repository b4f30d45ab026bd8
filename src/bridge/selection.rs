//! Which tools of a server are offered, and under which names.

use crate::model::tool::ToolName;

/// What stands for the server's name in a prefix.
const SERVER: &str = "{server}";

/// Patterns and a prefix, as the command line has them. Patterns match the server's own names; `*`
/// stands for any number of any characters.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// With any of these, only what matches one is offered.
    pub allow: Vec<String>,
    /// What matches one of these is not offered.
    pub deny: Vec<String>,
    /// Put before each name, as [`prefix`] takes it; `{server}` in it stands for the server's name,
    /// with `_` for what a tool's may not have.
    pub prefix: String,
}

impl Selection {
    /// The name `tool` of `server` is offered under; `None` when it is not.
    pub fn name(&self, server: &str, tool: &str) -> Option<String> {
        let matches = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern, tool));
        let is_offered = (self.allow.is_empty() || matches(&self.allow)) && !matches(&self.deny);
        is_offered.then(|| {
            // A server's name is free text, a tool's is not.
            let server = server.replace(|letter| !is_legal(letter), "_");
            format!("{}{tool}", self.prefix.replace(SERVER, &server))
        })
    }
}

/// Reads a prefix.
///
/// Fails with a sentence when no tool could have a name that begins with it.
pub fn prefix(text: &str) -> Result<String, String> {
    if text.replace(SERVER, "").chars().all(is_legal) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "a tool's name has only letters of A-Z, a-z and 0-9, and _ . -; {SERVER} stands for the \
             server's name"
        ))
    }
}

/// Whether a tool's name may have `letter` in it.
fn is_legal(letter: char) -> bool {
    ToolName::parse(letter.encode_utf8(&mut [0; 4])).is_some()
}

/// Whether `text` is what `pattern` describes.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place that fits leaves most for what follows.
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.len() >= end.len() && left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars() {
        for (pattern, text, expected) in [
            ("read_file", "read_file", true),
            ("read_file", "read_files", false),
            ("read_*", "read_file", true),
            ("*", "", true),
            ("*_file", "read_file", true),
            ("*_file", "read_files", false),
            ("r*d*e", "read_file", true),
            ("r*x*e", "read_file", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("ab*b*b", "abbb", true),
            ("ab*b*b", "abb", false),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_denied_is_not_offered_and_the_rest_is_renamed() {
        let selection = Selection {
            allow: vec!["read_*".into(), "list".into()],
            deny: vec!["*_secret".into()],
            prefix: "{server}_".into(),
        };
        assert_eq!(selection.name("fs", "read_file").as_deref(), Some("fs_read_file"));
        assert_eq!(selection.name("fs", "list").as_deref(), Some("fs_list"));
        assert_eq!(selection.name("fs", "read_secret"), None);
        assert_eq!(selection.name("fs", "write_file"), None);
        let all = Selection::default();
        assert_eq!(all.name("fs", "x").as_deref(), Some("x"));
    }

    #[test]
    fn a_prefix_makes_names_that_tools_may_have() {
        for (prefix, server, expected) in [
            ("{server}_", "My Server", "My_Server_x"),
            ("{server}.", "Käse/1 {server}", "K_se_1__server_.x"),
            ("a-{server}{server}", "fs.1", "a-fs.1fs.1x"),
            ("", "My Server", "x"),
        ] {
            let selection = Selection { prefix: prefix.into(), ..Selection::default() };
            assert_eq!(selection.name(server, "x").as_deref(), Some(expected), "{prefix} {server}");
        }
        for legal in ["", "a_", "A.b-9{server}_", "{server}{server}"] {
            assert_eq!(prefix(legal).as_deref(), Ok(legal));
        }
        for illegal in ["a/", "my ", "ä", "{name}_", "{server", "a\n"] {
            let told = prefix(illegal).unwrap_err();
            assert!(told.contains("A-Z, a-z and 0-9, and _ . -"), "{illegal:?}: {told}");
        }
    }
}
