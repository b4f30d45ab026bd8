//! The files in which clients keep their MCP servers, read as they read them: `mcpServers` of
//! Claude and Cursor, `servers` of VS Code.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use reqwest::{
    Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value;

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
        "it has neither `mcpServers` nor `servers`; expected {{\"mcpServers\":{{\"NAME\":{{\"command\":…}}}}}}"
    )]
    NoServers,
    #[error("{}", .0.join("\n"))]
    Servers(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    mcp_servers: Option<BTreeMap<String, Value>>,
    servers: Option<BTreeMap<String, Value>>,
}

/// One entry. Clients add keys of their own, so that others are passed over.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, Scalar>,
    cwd: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    disabled: bool,
    #[serde(rename = "envFile")]
    environment_file: Option<Value>,
}

/// Numbers and truth values are written without quotes often enough.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Bool(bool),
}

/// Reads the servers of a file that are not disabled. `variable` looks up what `${NAME}` and
/// `${env:NAME}` stand for, `${userHome}` and `${workspaceFolder}` among them.
pub fn read(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Server>, Faulty> {
    let options = jsonc_parser::ParseOptions::default();
    let value: Value = jsonc_parser::parse_to_serde_value(text, &options)
        .map_err(|error| Faulty::NotJson(error.to_string()))?;
    let file = File::deserialize(value).map_err(|error| Faulty::NotJson(error.to_string()))?;
    let entries = file.mcp_servers.or(file.servers).ok_or(Faulty::NoServers)?;
    let (mut servers, mut faults) = (Vec::new(), Vec::new());
    for (name, entry) in entries {
        let entry = Entry::deserialize(entry).map_err(|error| error.to_string());
        match entry.and_then(|entry| entry.server(&name, variable)) {
            Ok(server) => servers.extend(server),
            Err(fault) => faults.push(format!("server {name:?}: {fault}")),
        }
    }
    if faults.is_empty() { Ok(servers) } else { Err(Faulty::Servers(faults)) }
}

impl Entry {
    fn server(
        self,
        name: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Server>, String> {
        if self.disabled {
            return Ok(None);
        }
        let expand = |text: &str| expand(text, variable);
        if self.environment_file.is_some() {
            return Err("`envFile` is not read; write its variables into `env`, or set them \
                        and name them there as ${env:NAME}"
                .into());
        }
        if self.kind.as_deref() == Some("sse") {
            return Err(
                "the HTTP+SSE transport of 2024-11-05 is not supported; most servers also \
                        speak Streamable HTTP, often under /mcp"
                    .into(),
            );
        }
        let target = match (self.command, self.url) {
            (Some(command), None) => {
                let arguments = self.args.iter().map(|argument| expand(argument).map(Into::into));
                let environment = self.env.into_iter().map(|(name, value)| {
                    let value = match value {
                        Scalar::Text(text) => expand(&text)?,
                        Scalar::Number(number) => number.to_string(),
                        Scalar::Bool(truth) => truth.to_string(),
                    };
                    Ok((name, value))
                });
                Target::Program(Program {
                    command: expand(&command)?.into(),
                    arguments: arguments.collect::<Result<Vec<OsString>, String>>()?,
                    environment: environment.collect::<Result<_, String>>()?,
                    folder: self.cwd.as_deref().map(expand).transpose()?.map(PathBuf::from),
                })
            }
            (None, Some(url)) => {
                let url = expand(&url)?;
                let url = Url::parse(&url).map_err(|error| format!("url {url:?}: {error}"))?;
                let mut headers = HeaderMap::new();
                for (name, value) in &self.headers {
                    let (name, value) = header(name, &expand(value)?)?;
                    headers.append(name, value);
                }
                Target::Http(http::Target { url, headers })
            }
            (Some(_), Some(_)) => return Err("it has both `command` and `url`".into()),
            (None, None) => return Err("it has neither `command` nor `url`".into()),
        };
        Ok(Some(Server { label: name.to_owned(), name: Some(name.to_owned()), target }))
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

/// Puts values in the place of `${NAME}`, `${NAME:-default}` and `${env:NAME}`.
fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut left = text;
    while let Some((before, rest)) = left.split_once("${") {
        expanded.push_str(before);
        let (inside, after) =
            rest.split_once('}').ok_or_else(|| format!("{text:?} has a ${{ without a }}"))?;
        left = after;
        let (name, default) = match inside.strip_prefix("env:").unwrap_or(inside).split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (inside.strip_prefix("env:").unwrap_or(inside), None),
        };
        if let Some(input) = name.strip_prefix("input:") {
            return Err(format!(
                "${{input:{input}}} would be asked of a person; write ${{env:NAME}} instead and set \
                 that variable"
            ));
        }
        let value = variable(name).or(default).ok_or_else(|| {
            format!("${{{inside}}} stands for an environment variable that is not set")
        })?;
        expanded.push_str(&value);
    }
    expanded.push_str(left);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "KEY" => Some("secret".into()),
            "userHome" => Some("/home/ada".into()),
            _ => None,
        }
    }

    fn faults(text: &str) -> String {
        read(text, &variable).unwrap_err().to_string()
    }

    #[test]
    fn the_file_of_each_client_is_read() {
        let claude = r#"{"mcpServers":{
            "files":{"command":"npx","args":["-y","x","${userHome}/a"],"env":{"K":"${KEY}","N":1}},
            "off":{"command":"x","disabled":true},
            "far":{"type":"http","url":"https://example.com/mcp",
                   "headers":{"Authorization":"Bearer ${KEY}"}}},"other":1}"#;
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

        let code = "{ // of a workspace\n \"servers\": {\"a\": {\"type\": \"stdio\", \
                    \"command\": \"${env:KEY}\", \"cwd\": \"/tmp\",},}, \"inputs\": []}";
        let servers = read(code, &variable).unwrap();
        let Target::Program(program) = &servers[0].target else { panic!("{servers:?}") };
        assert_eq!(
            (program.command.as_os_str(), &program.folder),
            ("secret".as_ref(), &Some("/tmp".into()))
        );
    }

    #[test]
    fn every_fault_is_named() {
        let told = faults(
            r#"{"mcpServers":{"a":{},"b":{"command":"x","url":"http://x"},"c":{"type":"sse","url":"x"},
            "d":{"command":"${NOPE}"},"e":{"command":"${input:key}"},"f":{"url":"x y"},"g":7,
            "h":{"command":"${X"},"j":{"command":"x","envFile":".env"},"i":{"url":"http://x","headers":{"a b":"c"}}}}"#,
        );
        for part in [
            "\"a\": it has neither",
            "\"b\": it has both",
            "\"c\": the HTTP+SSE transport",
            "\"d\": ${NOPE} stands for",
            "\"e\": ${input:key} would be asked",
            "\"f\": url \"x y\"",
            "\"g\": invalid type",
            "\"h\": \"${X\" has a ${ without",
            "\"j\": `envFile` is not read",
            "\"i\": the name of header \"a b\"",
        ] {
            assert!(told.contains(part), "no {part} in {told}");
        }
        assert!(faults("{}").contains("neither `mcpServers` nor"));
        assert!(faults("{").contains("not JSON"));
        assert!(read(r#"{"mcpServers":{"a":{"command":"${NOPE:-npx}"}}}"#, &variable).is_ok());
    }
}
