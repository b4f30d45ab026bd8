//! The files in which clients keep their MCP servers, read as they read them: `mcpServers` of
//! Claude and Cursor, `servers` of VS Code.

use std::{collections::BTreeSet, path::PathBuf};

use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Map, Value};

use super::{http, stdio::Program};

/// A server and how it is reached.
#[derive(Debug, Clone)]
pub struct Server {
    /// What it is called in logs.
    pub label: String,
    /// What the hub calls it to its user; by default what it says of itself.
    pub name: Option<String>,
    pub target: Target,
}

#[derive(Debug, Clone)]
pub enum Target {
    Program(Program),
    Http(http::Target),
}

/// Why a file cannot be used, with every fault that was found.
#[derive(Debug, thiserror::Error)]
pub enum Faulty {
    #[error("it is not JSON: {0}")]
    NotJson(String),
    #[error(
        "it {0}; expected an object with `mcpServers` or `servers`, each an object of NAME → entry, \
         such as {{\"mcpServers\":{{\"NAME\":{{\"command\":…}}}}}}"
    )]
    NoServers(String),
    #[error("{}", .0.join("\n"))]
    Servers(Vec<String>),
}

/// Reads the servers of a file that are not disabled. `variable` looks up what `${NAME}` and
/// `${env:NAME}` stand for, `${userHome}` and `${workspaceFolder}` among them.
pub fn read(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Server>, Faulty> {
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = jsonc_parser::ParseOptions::default();
    let file: Value = jsonc_parser::parse_to_serde_value(text, &options)
        .map_err(|error| Faulty::NotJson(error.to_string()))?;
    let file = match &file {
        Value::Object(file) => file,
        Value::Null => return Err(Faulty::NoServers("is empty".into())),
        other => return Err(Faulty::NoServers(format!("is {}", kind(other)))),
    };
    let members = ["mcpServers", "servers"].map(|name| (name, file.get(name)));
    if members.iter().all(|(_, member)| member.is_none_or(Value::is_null)) {
        return Err(Faulty::NoServers("has neither `mcpServers` nor `servers`".into()));
    }
    let (mut servers, mut faults, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (member, entries) in members {
        let entries = match entries {
            None | Some(Value::Null) => continue,
            Some(Value::Object(entries)) => entries,
            Some(other) => {
                let kind = kind(other);
                faults.push(format!("`{member}` is {kind}; expected an object of NAME → entry"));
                continue;
            }
        };
        for (name, entry) in entries {
            let read = if names.insert(name) {
                Entry::of(entry, variable).and_then(|entry| entry.server(name))
            } else {
                Err("it is in `mcpServers` and in `servers`".into())
            };
            match read {
                Ok(server) => servers.extend(server),
                Err(fault) => faults.push(format!("server {name:?}: {fault}")),
            }
        }
    }
    if faults.is_empty() { Ok(servers) } else { Err(Faulty::Servers(faults)) }
}

/// One entry, asked for its members one by one, so that faults can name them. Clients add members
/// of their own, so that others are passed over.
struct Entry<'a> {
    members: &'a Map<String, Value>,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

/// What `type` may say.
#[derive(PartialEq)]
enum Transport {
    Stdio,
    Http,
}

impl<'a> Entry<'a> {
    fn of(entry: &'a Value, variable: &'a dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let is_no_object =
            || format!("it is {}; expected an object with `command` or `url`", kind(entry));
        Ok(Self { members: entry.as_object().ok_or_else(is_no_object)?, variable })
    }

    /// `None` for a server that is disabled.
    fn server(&self, name: &str) -> Result<Option<Server>, String> {
        match self.member("disabled") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => return Ok(None),
            Some(other) => return Err(unexpected("disabled", other, "true or false")),
        }
        if self.member("envFile").is_some() {
            return Err("`envFile` is not read; write its variables into `env`, or set them \
                        and name them there as ${env:NAME}"
                .into());
        }
        let transport = either(["type", "transport"], |member| self.transport(member))?;
        let command = self.text("command")?;
        let url = either(["url", "serverUrl"], |member| self.text(member))?;
        let target = match (command, url) {
            (Some(_), Some(_)) => return Err("it has both `command` and `url`".into()),
            (None, None) => return Err("it has neither `command` nor `url`".into()),
            (Some(_), None) if transport == Some(Transport::Http) => {
                return Err("its `type` is one for a `url`, but it has a `command`".into());
            }
            (None, Some(_)) if transport == Some(Transport::Stdio) => {
                return Err("its `type` is one for a `command`, but it has a `url`".into());
            }
            (Some(command), None) => Target::Program(self.program(command)?),
            (None, Some(url)) => Target::Http(self.endpoint(url)?),
        };
        Ok(Some(Server { label: name.to_owned(), name: Some(name.to_owned()), target }))
    }

    fn program(&self, command: &str) -> Result<Program, String> {
        let command = self.expanded("command", command)?;
        if command.is_empty() {
            return Err("`command` is empty".into());
        }
        let environment = self.table("env")?;
        let is_bad = |name: &str| name.is_empty() || name.contains(['=', '\0']);
        if let Some((name, _)) = environment.iter().find(|(name, _)| is_bad(name)) {
            return Err(format!("`env` has {name:?}, which is no name of a variable"));
        }
        let folder = self.text("cwd")?.map(|folder| self.expanded("cwd", folder)).transpose()?;
        Ok(Program {
            command: command.into(),
            arguments: self.list("args")?.into_iter().map(Into::into).collect(),
            environment: environment.into_iter().collect(),
            folder: folder.map(PathBuf::from),
        })
    }

    fn endpoint(&self, written: &str) -> Result<http::Target, String> {
        let url = Url::parse(&self.expanded("url", written)?);
        // What is in the place of a variable may be a secret: told is what the file has.
        let url = url.map_err(|error| format!("`url` {written:?}: {error}"))?;
        check_url(&url, "`headers`").map_err(|fault| format!("`url`: {fault}"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in self.table("headers")? {
            let (name, value) = header(&name, &value)?;
            headers.append(name, value);
        }
        Ok(http::Target { url, headers })
    }

    /// Absent and `null` are the same.
    fn member(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// As it is written.
    fn text(&self, member: &str) -> Result<Option<&'a str>, String> {
        match self.member(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(unexpected(member, other, "a string")),
        }
    }

    fn transport(&self, member: &str) -> Result<Option<Transport>, String> {
        match self.text(member)? {
            None => Ok(None),
            Some("stdio") => Ok(Some(Transport::Stdio)),
            Some("http" | "streamable-http" | "streamableHttp") => Ok(Some(Transport::Http)),
            Some("sse") => Err("the HTTP+SSE transport of 2024-11-05 is not supported; most \
                                servers also speak Streamable HTTP, often under /mcp"
                .into()),
            Some(other) => Err(format!(
                "`{member}` is {other:?}; expected stdio, http, streamable-http or streamableHttp"
            )),
        }
    }

    fn list(&self, member: &str) -> Result<Vec<String>, String> {
        match self.member(member) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                let values = values.iter().enumerate();
                values.map(|(at, value)| self.scalar(&format!("{member}[{at}]"), value)).collect()
            }
            Some(other) => Err(unexpected(member, other, "an array of strings")),
        }
    }

    /// Without the names whose value is `null`: that is how a client takes one away.
    fn table(&self, member: &str) -> Result<Vec<(String, String)>, String> {
        let values = match self.member(member) {
            None => return Ok(Vec::new()),
            Some(Value::Object(values)) => values,
            Some(other) => return Err(unexpected(member, other, "an object of NAME → string")),
        };
        let values = values.iter().filter(|(_, value)| !value.is_null());
        let value = |(name, value): (&String, &Value)| {
            let place = format!("{member}.{}", name.escape_debug());
            Ok((name.clone(), self.scalar(&place, value)?))
        };
        values.map(value).collect()
    }

    /// Numbers and truth values are written without quotes often enough.
    fn scalar(&self, place: &str, value: &Value) -> Result<String, String> {
        match value {
            Value::String(text) => self.expanded(place, text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(truth) => Ok(truth.to_string()),
            other => Err(unexpected(place, other, "a string, a number, true or false")),
        }
    }

    fn expanded(&self, place: &str, text: &str) -> Result<String, String> {
        let expanded =
            expand(text, self.variable).map_err(|fault| format!("`{place}`: {fault}"))?;
        if expanded.contains('\0') {
            return Err(format!("`{place}` has a NUL character"));
        }
        Ok(expanded)
    }
}

/// What one of two names for the same says.
fn either<T: PartialEq>(
    names: [&str; 2],
    read: impl Fn(&str) -> Result<Option<T>, String>,
) -> Result<Option<T>, String> {
    match (read(names[0])?, read(names[1])?) {
        (Some(one), Some(other)) if one != other => {
            Err(format!("its `{}` and `{}` contradict each other", names[0], names[1]))
        }
        (one, other) => Ok(one.or(other)),
    }
}

fn unexpected(place: &str, value: &Value, expected: &str) -> String {
    format!("`{place}` is {}; expected {expected}", kind(value))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Whether a server can be at `url`; `headers` is where a name or token belongs instead.
///
/// Fails with a sentence that does not repeat the URL, which may have a secret in it.
pub fn check_url(url: &Url, headers: &str) -> Result<(), String> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "a user name or password is no part of a URL; give `Authorization` in {headers}"
        ));
    }
    match url.scheme() {
        "http" | "https" => Ok(()),
        _ => Err("it begins with http:// or https://".into()),
    }
}

/// A header whose value is not to be seen in any log.
///
/// Fails with a sentence that does not repeat the value.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let bad = |part: &str| format!("the {part} of header {name:?} has characters it may not have");
    let header = HeaderName::try_from(name.trim()).map_err(|_invalid| bad("name"))?;
    let mut value = HeaderValue::try_from(value.trim()).map_err(|_invalid| bad("value"))?;
    value.set_sensitive(true);
    Ok((header, value))
}

/// Puts values in the place of `${NAME}`, `${NAME:-default}` and `${env:NAME}`. Whatever else is
/// between such braces may be for a shell, and stays as it is.
///
/// Fails with a sentence that repeats no more of the text than a name.
fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut left = text;
    while let Some((before, rest)) = left.split_once("${") {
        expanded.push_str(before);
        left = rest;
        let Some(end) = end_of_braces(rest) else {
            let end = rest.find(|c| !is_of_names(c)).unwrap_or(rest.len());
            if end > 0 {
                return Err(format!("${{{} has no }} to it", &rest[..end]));
            }
            expanded.push_str("${");
            continue;
        };
        let inside = &rest[..end];
        if let Some(input) = inside.strip_prefix("input:") {
            return Err(format!(
                "${{input:{input}}} would be asked of a person; write ${{env:NAME}} instead and set \
                 that variable"
            ));
        }
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let name = name.strip_prefix("env:").unwrap_or(name);
        // A shell's ${1} is no variable of the environment.
        if !name.starts_with(|c| is_of_names(c) && !c.is_ascii_digit())
            || !name.chars().all(is_of_names)
        {
            expanded.push_str("${");
            continue;
        }
        let value = match (variable(name), default) {
            (Some(value), _) => value,
            (None, Some(default)) => expand(default, variable)?,
            (None, None) => {
                return Err(format!(
                    "${{{inside}}} stands for an environment variable that is not set"
                ));
            }
        };
        expanded.push_str(&value);
        left = &rest[end + 1..];
    }
    expanded.push_str(left);
    Ok(expanded)
}

fn is_of_names(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Where the brace is closed that was opened right before `text`: a default may have some of its own.
fn end_of_braces(text: &str) -> Option<usize> {
    let mut open = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if text[..at].ends_with('$') => open += 1,
            b'}' if open == 1 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "KEY" => Some("secret".into()),
            "BAD" => Some("http://secret host".into()),
            "userHome" => Some("/home/ada".into()),
            _ => None,
        }
    }

    fn faults(text: &str) -> String {
        read(text, &variable).unwrap_err().to_string()
    }

    /// The only server of a file whose entry is `entry`.
    fn target(entry: &str) -> Target {
        let file = format!("{{\"mcpServers\":{{\"a\":{entry}}}}}");
        let mut servers = read(&file, &variable).unwrap_or_else(|fault| panic!("{entry}: {fault}"));
        assert_eq!(servers.len(), 1, "{entry}");
        servers.remove(0).target
    }

    fn program(entry: &str) -> Program {
        match target(entry) {
            Target::Program(program) => program,
            Target::Http(_) => panic!("{entry} is reached over HTTP"),
        }
    }

    fn far(entry: &str) -> http::Target {
        match target(entry) {
            Target::Http(target) => target,
            Target::Program(_) => panic!("{entry} is a program"),
        }
    }

    #[test]
    fn the_file_of_each_client_is_read() {
        let claude = r#"{"mcpServers":{
            "far":{"type":"http","url":"https://example.com/mcp",
                   "headers":{"Authorization":"Bearer ${KEY}"}},
            "files":{"command":"npx","args":["-y","x","${userHome}/a"],"env":{"K":"${KEY}","N":1}},
            "off":{"command":"x","disabled":true}},"other":1}"#;
        let servers = read(claude, &variable).unwrap();
        let names: Vec<_> = servers.iter().map(|server| &*server.label).collect();
        assert_eq!(names, ["far", "files"]);
        let (Target::Http(far), Target::Program(files)) = (&servers[0].target, &servers[1].target)
        else {
            panic!("{servers:?}");
        };
        assert_eq!(far.headers["authorization"], "Bearer secret");
        assert!(!format!("{far:?}").contains("secret"));
        assert_eq!(files.arguments, ["-y", "x", "/home/ada/a"]);
        let environment = [("K", "secret"), ("N", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(files.environment, environment.into());

        let code = "\u{feff}{ // of a workspace\n \"servers\": {\"a\": {\"type\": \"stdio\", \
                    \"command\": \"${env:KEY}\", \"cwd\": \"/tmp\",},}, \"inputs\": []}";
        let servers = read(code, &variable).unwrap();
        let Target::Program(program) = &servers[0].target else { panic!("{servers:?}") };
        assert_eq!(
            (program.command.as_os_str(), &program.folder),
            ("secret".as_ref(), &Some("/tmp".into()))
        );
    }

    #[test]
    fn a_file_of_another_shape_is_told_what_is_expected() {
        for (file, is) in [
            ("", "it is empty"),
            ("\u{feff} // nothing", "it is empty"),
            ("[]", "it is an array"),
            ("7", "it is a number"),
            ("{}", "it has neither `mcpServers` nor `servers`"),
            (r#"{"servers":null}"#, "it has neither `mcpServers` nor `servers`"),
        ] {
            let told = faults(file);
            assert!(told.starts_with(&format!("{is}; expected an object with")), "{file}: {told}");
        }
        for file in [r#"{"mcpServers":[]}"#, r#"{"mcpServers":[],"servers":{}}"#] {
            let expected = "`mcpServers` is an array; expected an object of NAME → entry";
            assert_eq!(faults(file), expected, "{file}");
        }
        assert!(faults("{").contains("not JSON"));
    }

    #[test]
    fn the_servers_of_both_members_are_taken() {
        let check = |file: &str, expected: &[&str]| {
            let servers = read(file, &variable).unwrap_or_else(|fault| panic!("{file}: {fault}"));
            let names: Vec<_> = servers.into_iter().map(|server| server.label).collect();
            assert_eq!(names, expected, "{file}");
        };
        check(r#"{"mcpServers":{},"servers":{"a":{"command":"x"}}}"#, &["a"]);
        check(r#"{"mcpServers":null,"servers":{"a":{"command":"x"}}}"#, &["a"]);
        check(
            r#"{"servers":{"a":{"command":"x"}},"mcpServers":{"b":{"command":"x"}}}"#,
            &["b", "a"],
        );
        check(r#"{"servers":{}}"#, &[]);
        let both = r#"{"mcpServers":{"a":{"command":"x"}},"servers":{"a":{"command":"y"}}}"#;
        assert_eq!(faults(both), "server \"a\": it is in `mcpServers` and in `servers`");
    }

    #[test]
    fn every_fault_is_named() {
        for (entry, expected) in [
            ("7", "it is a number; expected an object with `command` or `url`"),
            ("null", "it is null; expected an object with `command` or `url`"),
            ("{}", "it has neither `command` nor `url`"),
            (r#"{"command":null}"#, "it has neither `command` nor `url`"),
            (r#"{"command":"x","url":"http://x"}"#, "it has both `command` and `url`"),
            (r#"{"command":["x"]}"#, "`command` is an array; expected a string"),
            (r#"{"command":""}"#, "`command` is empty"),
            (
                r#"{"command":"x","disabled":"no"}"#,
                "`disabled` is a string; expected true or false",
            ),
            (r#"{"command":"x","envFile":".env"}"#, "`envFile` is not read"),
            (r#"{"command":"x","cwd":1}"#, "`cwd` is a number; expected a string"),
            (r#"{"command":"x","args":"-y"}"#, "`args` is a string; expected an array of strings"),
            (
                r#"{"command":"x","args":["a",null]}"#,
                "`args[1]` is null; expected a string, a number",
            ),
            (
                r#"{"command":"x","env":[]}"#,
                "`env` is an array; expected an object of NAME → string",
            ),
            (
                r#"{"command":"x","env":{"X":[]}}"#,
                "`env.X` is an array; expected a string, a number",
            ),
            (r#"{"url":"http://x","headers":"a"}"#, "`headers` is a string; expected an object"),
            (
                r#"{"url":"http://x","headers":{"a":{}}}"#,
                "`headers.a` is an object; expected a string",
            ),
            (r#"{"url":"http://x","headers":{"a b":"c"}}"#, "the name of header \"a b\" has"),
            (r#"{"url":"http://x","headers":{"a":"b\r\nc: d"}}"#, "the value of header \"a\" has"),
            // What no process can be given.
            (r#"{"command":"x\u0000"}"#, "`command` has a NUL character"),
            (r#"{"command":"x","args":["\u0000"]}"#, "`args[0]` has a NUL character"),
            (r#"{"command":"x","cwd":"\u0000"}"#, "`cwd` has a NUL character"),
            (r#"{"command":"x","env":{"X":"\u0000"}}"#, "`env.X` has a NUL character"),
            (r#"{"command":"x","env":{"X\u0000":"a"}}"#, "`env` has \"X\\0\", which is no name"),
            (r#"{"command":"x","env":{"":"a"}}"#, "`env` has \"\", which is no name"),
            (r#"{"command":"x","env":{"A=B":"a"}}"#, "`env` has \"A=B\", which is no name"),
            // Variables.
            (r#"{"command":"${NOPE}"}"#, "`command`: ${NOPE} stands for an environment variable"),
            (r#"{"command":"x","args":["${env:NOPE}"]}"#, "`args[0]`: ${env:NOPE} stands for"),
            (r#"{"command":"${input:key}"}"#, "`command`: ${input:key} would be asked of a person"),
            (r#"{"command":"x","args":["hush${X y"]}"#, "`args[0]`: ${X has no }"),
            // How it is reached.
            (r#"{"type":"sse","url":"http://x"}"#, "the HTTP+SSE transport"),
            (r#"{"transport":"sse","url":"http://x"}"#, "the HTTP+SSE transport"),
            (r#"{"type":"ws","url":"http://x"}"#, "`type` is \"ws\"; expected stdio, http,"),
            (r#"{"transport":{},"url":"http://x"}"#, "`transport` is an object; expected a string"),
            (r#"{"type":"stdio","url":"http://x"}"#, "its `type` is one for a `command`"),
            (r#"{"transport":"http","command":"x"}"#, "its `type` is one for a `url`"),
            (
                r#"{"type":"stdio","transport":"http","command":"x"}"#,
                "its `type` and `transport` contradict each other",
            ),
            (
                r#"{"url":"http://x","serverUrl":"http://y"}"#,
                "its `url` and `serverUrl` contradict each other",
            ),
            (r#"{"url":"x y"}"#, "`url` \"x y\": relative URL"),
            (r#"{"url":"${BAD}/mcp"}"#, "`url` \"${BAD}/mcp\": invalid"),
            (r#"{"url":"ftp://x/${KEY}"}"#, "`url`: it begins with http:// or https://"),
            (r#"{"url":"${KEY}:x"}"#, "`url`: it begins with http:// or https://"),
            (r#"{"serverUrl":"ws://x"}"#, "`url`: it begins with http:// or https://"),
            (r#"{"url":"http://secret@x"}"#, "`url`: a user name or password is no part"),
            (r#"{"url":"https://:${KEY}@x"}"#, "give `Authorization` in `headers`"),
        ] {
            let told = faults(&format!("{{\"servers\":{{\"a\":{entry}}}}}"));
            assert!(told.starts_with("server \"a\": "), "{entry}: {told}");
            assert!(told.contains(expected), "{entry}: {told}");
            assert!(!told.contains("secret") && !told.contains("hush"), "{entry}: {told}");
        }
        let told = faults(r#"{"mcpServers":{"a":{}},"servers":{"b":7}}"#);
        assert_eq!(told.lines().count(), 2, "{told}");
    }

    #[test]
    fn members_may_be_null_and_values_numbers_or_truths() {
        let bare = program(r#"{"command":"x","args":null,"env":null,"cwd":null,"url":null}"#);
        assert!(bare.arguments.is_empty() && bare.environment.is_empty() && bare.folder.is_none());
        let full =
            program(r#"{"command":"x","args":["-n",8,1.5,true],"env":{"X":null,"Y":false}}"#);
        assert_eq!(full.arguments, ["-n", "8", "1.5", "true"]);
        assert_eq!(full.environment, [("Y".to_owned(), "false".to_owned())].into());
        assert!(far(r#"{"url":"http://x","headers":null,"disabled":null}"#).headers.is_empty());
        let headers = far(r#"{"url":"http://x","headers":{"a":1,"b":true,"c":null}}"#).headers;
        assert_eq!(
            (headers.len(), &headers["a"], &headers["b"]),
            (2, &"1".parse().unwrap(), &"true".parse().unwrap())
        );
        // What is wrong with a server that is off is nobody's concern.
        let off = r#"{"servers":{"a":{"disabled":true,"command":7,"type":"sse"}}}"#;
        assert!(read(off, &variable).unwrap().is_empty());
    }

    #[test]
    fn members_have_other_names_too() {
        for entry in [
            r#"{"type":"http","url":"http://x/"}"#,
            r#"{"type":"streamable-http","serverUrl":"http://x/"}"#,
            r#"{"transport":"streamableHttp","url":"http://x/"}"#,
            r#"{"type":"http","transport":"streamable-http","url":"http://x/","serverUrl":"http://x/"}"#,
        ] {
            assert_eq!(far(entry).url.as_str(), "http://x/", "{entry}");
        }
        assert_eq!(program(r#"{"transport":"stdio","command":"x"}"#).command, "x");
    }

    #[test]
    fn variables_are_replaced_and_what_a_shell_means_is_left() {
        for (text, expected) in [
            ("${KEY}", "secret"),
            ("<${env:KEY}>", "<secret>"),
            ("${KEY}${KEY}", "secretsecret"),
            ("${NOPE:-npx}", "npx"),
            ("${env:NOPE:-npx}", "npx"),
            ("${NOPE:-}", ""),
            ("${KEY:-npx}", "secret"),
            ("${NOPE:-${KEY}}!", "secret!"),
            ("${NOPE:-${NOPE:-a}b}", "ab"),
            ("${Y##*/}", "${Y##*/}"),
            ("${Y%%.*} ${KEY}", "${Y%%.*} secret"),
            ("${#a[@]} ${!a} ${@} ${1} ${}", "${#a[@]} ${!a} ${@} ${1} ${}"),
            ("${a//${KEY}/x}", "${a//secret/x}"),
            ("${KEY:0:2} ${env:} ${a b}", "${KEY:0:2} ${env:} ${a b}"),
            ("$KEY {KEY} $ {}", "$KEY {KEY} $ {}"),
            ("s/${/x/ ${KEY}", "s/${/x/ secret"),
        ] {
            assert_eq!(expand(text, &variable).as_deref(), Ok(expected), "{text}");
        }
    }
}
