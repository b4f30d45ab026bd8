//! A plugin of MCP Hub: fetches a web page and gives it back as Markdown.

mod address;
mod charset;
mod html;
mod http;
mod markdown;
mod tokens;

wit_bindgen::generate!({ path: "../../wit", world: "provider" });

use address::Address;
use exports::mcp_hub::plugin::tools::{
    Annotations, CallError, Content, Guest, Outcome, Request, Tool, ToolResult,
};
use mcp_hub::plugin::host;
use serde::Deserialize;

/// How often a page may say that it is elsewhere.
const MAX_REDIRECTS: usize = 5;
/// How much of a page is given back unless told otherwise, and at most, in characters.
const DEFAULT_CHARS: usize = 20_000;
const MAX_CHARS: usize = 1_000_000;
/// How much is told of a page that only says what went wrong, in characters.
const ERROR_CHARS: usize = 500;

struct WebPage;
export!(WebPage);

const FETCH_PAGE: &str = r#"{
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "format": "uri",
            "description": "Address of the page, with http:// or https://."
        },
        "max_chars": {
            "type": "integer",
            "minimum": 100,
            "maximum": 1000000,
            "description": "How many characters to give back at most. Default: 20000."
        },
        "start": {
            "type": "integer",
            "minimum": 0,
            "description": "At which character to begin: to read on where an earlier answer was cut. Default: 0."
        }
    },
    "required": ["url"],
    "additionalProperties": false
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FetchPage {
    url: String,
    #[serde(default = "default_chars")]
    max_chars: usize,
    #[serde(default)]
    start: usize,
}

fn default_chars() -> usize {
    DEFAULT_CHARS
}

impl Guest for WebPage {
    fn list_tools() -> Result<Vec<Tool>, String> {
        Ok(vec![Tool {
            name: "fetch_page".to_owned(),
            title: Some("Fetch a web page".to_owned()),
            description: Some(
                "Fetches a web page and gives back its text as Markdown, with headings, links, lists, \
                 tables and code. Reads HTML, plain text and JSON; not PDF, and nothing that scripts \
                 put on the page. A long page comes in pieces: call again with `start`."
                    .to_owned(),
            ),
            input_schema: FETCH_PAGE.to_owned(),
            output_schema: None,
            annotations: Some(Annotations {
                title: None,
                read_only: Some(true),
                destructive: Some(false),
                idempotent: Some(true),
                open_world: Some(true),
            }),
            meta: None,
        }])
    }

    fn call_tool(request: Request) -> Result<Outcome, CallError> {
        if request.name != "fetch_page" {
            return Err(CallError::UnknownTool(request.name));
        }
        let mut json = serde_json::Deserializer::from_str(&request.arguments);
        let arguments: FetchPage =
            serde_path_to_error::deserialize(&mut json).map_err(|error| {
                // Nobody sees lines and columns in arguments.
                let text = error.to_string();
                let end = text.rfind(" at line ").unwrap_or(text.len());
                CallError::InvalidArguments(text[..end].to_owned())
            })?;
        if !(100..=MAX_CHARS).contains(&arguments.max_chars) {
            let why = format!("max_chars: 100 to {MAX_CHARS} is expected");
            return Err(CallError::InvalidArguments(why));
        }
        let address = Address::parse(&arguments.url)
            .map_err(|error| CallError::InvalidArguments(format!("url: {error}")))?;
        let (text, is_error) = match fetch(address, &arguments) {
            Ok(text) => (text, false),
            Err(why) => (why, true),
        };
        Ok(Outcome::Complete(ToolResult {
            content: vec![Content::Text(text)],
            structured_content: None,
            is_error,
            meta: None,
        }))
    }
}

fn fetch(mut address: Address, arguments: &FetchPage) -> Result<String, String> {
    let mut redirects = 0;
    let response = loop {
        // Each report must be greater than the one before.
        progress(redirects, &format!("asking {}", address.authority()));
        let response =
            http::get(&address).map_err(|why| format!("{}: {why}.", address.as_str()))?;
        let is_elsewhere = matches!(response.status, 301 | 302 | 303 | 307 | 308);
        let Some(location) = response.location.as_deref().filter(|_| is_elsewhere) else {
            break response;
        };
        if redirects == MAX_REDIRECTS {
            return Err(format!("{} redirects more than {MAX_REDIRECTS} times.", arguments.url));
        }
        redirects += 1;
        address = address
            .join(location)
            .ok_or_else(|| format!("{location:?} is no page"))
            .and_then(|target| Address::parse(&target))
            .map_err(|why| format!("{} redirects, but {why}.", address.as_str()))?;
    };

    let here = address.as_str();
    let kind = response.content_type.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    let is_html = matches!(kind.as_str(), "text/html" | "application/xhtml+xml" | "");
    let is_text = kind.starts_with("text/")
        || ["json", "xml", "javascript", "yaml"].iter().any(|part| kind.ends_with(part));
    if !is_html && !is_text {
        return Err(format!("{here} is {kind}; only HTML and text can be read."));
    }
    let bytes = response
        .body(|bytes| progress(redirects + bytes, &format!("{} KiB read", bytes.div_ceil(1024))))
        .map_err(|why| format!("{here}: {why}."))?;
    let text =
        charset::decode(bytes, &response.content_type).map_err(|why| format!("{here}: {why}."))?;
    let (title, markdown) = if is_html {
        let page = markdown::convert(&text, &address);
        (page.title, page.markdown)
    } else {
        (String::new(), text)
    };
    if !(200..300).contains(&response.status) {
        let (said, _) = piece(&markdown, 0, ERROR_CHARS);
        return Err(format!("{here} answers with status {}: {title}\n\n{said}", response.status));
    }

    let (piece, total) = piece(&markdown, arguments.start, arguments.max_chars);
    let mut answer = format!("Address: {here}\n");
    if !title.is_empty() {
        answer += &format!("Title: {title}\n");
    }
    answer += "\n";
    answer += piece;
    let end = arguments.start.saturating_add(arguments.max_chars);
    if total == 0 {
        answer += "(There is no text on this page; perhaps scripts would put it there.)";
    } else if arguments.start >= total {
        answer += &format!("(The page ends after {total} characters.)");
    } else if end < total {
        answer += &format!("\n\n(Cut at {end} of {total} characters: go on with start {end}.)");
    }
    Ok(answer)
}

/// A piece of the text and how many characters there are in all.
fn piece(text: &str, start: usize, length: usize) -> (&str, usize) {
    let at = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(index, _)| index);
    let end = start.saturating_add(length);
    (&text[at(start)..at(end)], text.chars().count())
}

fn progress(progress: usize, message: &str) {
    host::progress(progress as f64, None, Some(message));
}

#[cfg(test)]
mod tests {
    #[test]
    fn pieces_are_cut_between_characters() {
        assert_eq!(super::piece("aäöü", 1, 2), ("äö", 4));
        assert_eq!(super::piece("ab", 3, 5), ("", 2));
    }
}
