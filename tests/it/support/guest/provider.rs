//! Providers made to order: components of the world `mcp-hub:plugin/provider`.

use std::fmt::Write;

use serde_json::{Value, json};
use wit_parser::{Resolve, Type};

use super::{
    encode::{PLUGIN, RUNTIME, WASI, WASI_VERSION, called, encode, packages, versioned},
    image::{Image, SCRATCH, computed, local},
};

/// The version of the contract in [`PLUGIN`].
pub(crate) const VERSION: &str = "0.1.0";

/// What [`Body::Image`] and [`Body::Audio`] hold.
pub(crate) const BLOB: &[u8] = b"\x89PNG\r\n\x1a\n\0\xff";

/// A provider in the making.
pub(crate) struct Guest {
    version: String,
    wasi: String,
    packages: Vec<String>,
    pages: usize,
    tools: Vec<Tool>,
    list: Option<Body>,
    items: String,
    start: Option<String>,
    realloc: String,
    post_return: Option<String>,
}

/// A tool: what is listed, and what it does.
#[derive(Clone)]
pub(crate) struct Tool {
    definition: Value,
    body: Body,
}

/// What a tool does when it is called.
#[derive(Clone)]
pub(crate) enum Body {
    /// Answers with its arguments as text.
    Echo,
    Text(String),
    /// This JSON, both as structured content and as text.
    Structured(String),
    /// A `call-error` by the name of its case; `cancelled` has no use for the text.
    Error(&'static str, String),
    /// A result that says it is an error.
    IsError(String),
    Trap,
    Spin,
    /// Asks at first; given answers or a state, it tells both as two texts.
    InputRequired {
        requests: String,
        state: Option<String>,
    },
    /// Logs the text at a level by its name, then answers `logged`.
    Log(&'static str, String),
    /// Reports `step` so many times, then answers `done`.
    Progress(u32),
    /// Asks whether it was cancelled until it was, and says so.
    Cancelled,
    /// What the configuration has under the key, or `none`.
    Config(String),
    /// A text of so many bytes.
    Big(usize),
    /// The request's `_meta` as text.
    Meta,
    Image,
    Audio,
    /// An embedded resource with a text.
    Resource,
    ResourceLink,
    /// This JSON as a content block.
    Json(String),
    /// Any `result<outcome, call-error>`; see `image.rs` for how a value is written.
    Outcome(Value),
    /// Code that says its answer piece by piece: `(call $say @'text')`, `(call $say-number …)`.
    Say(String),
    /// Code, and then what another body does.
    After(String, Box<Self>),
    /// Code that leaves the address of a `result<outcome, call-error>`. It has the parameters
    /// `$name`, `$arguments`, `$responses`, `$state`, `$meta`, each with its `…-len`, and
    /// `$has-responses`, `$has-state`; free locals `$i`, `$n`, `$p`; and what `runtime.wat` defines.
    /// `@'text'` stands for a text's address and length, `$INTERFACE#FUNCTION` for an import.
    Wat(String),
}

pub(crate) fn tool(name: &str, body: Body) -> Tool {
    let definition = json!({
        "name": name,
        "description": format!("The test tool {name}."),
        "input-schema": r#"{"type":"object"}"#,
    });
    Tool { definition, body }
}

/// A `result<outcome, call-error>` with this content.
pub(crate) fn complete(content: &Value) -> Value {
    let result = json!({ "complete": json!({ "content": content }) });
    json!({ "ok": result })
}

impl Tool {
    /// Sets any field of the WIT record `tool`, to a value that need not make sense.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.definition[field] = value.into();
        self
    }

    pub(crate) fn title(self, title: &str) -> Self {
        self.with("title", title)
    }

    pub(crate) fn description(self, description: &str) -> Self {
        self.with("description", description)
    }

    pub(crate) fn input_schema(self, schema: &str) -> Self {
        self.with("input-schema", schema)
    }

    pub(crate) fn output_schema(self, schema: &str) -> Self {
        self.with("output-schema", schema)
    }

    /// Sets the annotations, as in `json!({ "read-only": true })`.
    pub(crate) fn annotations(self, annotations: Value) -> Self {
        self.with("annotations", annotations)
    }

    pub(crate) fn meta(self, meta: &str) -> Self {
        self.with("meta", meta)
    }
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self {
            version: VERSION.into(),
            wasi: WASI_VERSION.into(),
            packages: Vec::new(),
            pages: 1,
            tools: Vec::new(),
            list: None,
            items: String::new(),
            start: None,
            realloc: "(call $realloc (local.get $old) (local.get $old-size)
                (local.get $align) (local.get $size))"
                .into(),
            post_return: None,
        }
    }

    /// A provider with this one tool.
    pub(crate) fn of(name: &str, body: Body) -> Self {
        Self::new().tool(tool(name, body))
    }

    pub(crate) fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// `list-tools` refuses.
    pub(crate) fn list_error(self, text: &str) -> Self {
        self.list(json!({ "err": text }))
    }

    /// Any result of `list-tools`; see `image.rs` for how a value is written.
    pub(crate) fn list(mut self, value: Value) -> Self {
        self.list = Some(Body::Outcome(value));
        self
    }

    /// Code of `list-tools`: leaves the address of a `result<list<tool>, string>`.
    pub(crate) fn list_wat(mut self, code: &str) -> Self {
        self.list = Some(Body::Wat(code.into()));
        self
    }

    /// Code that runs before `list-tools` and its answer.
    pub(crate) fn before_list(mut self, code: &str) -> Self {
        let tools = json!({ "ok": self.definitions() });
        self.list = Some(Body::After(code.into(), Box::new(Body::Outcome(tools))));
        self
    }

    /// Code that runs as the instance comes to be.
    pub(crate) fn start(mut self, code: &str) -> Self {
        self.start = Some(code.into());
        self
    }

    /// More fields of the core module, such as functions and tables.
    pub(crate) fn items(mut self, items: &str) -> Self {
        self.items.push_str(items);
        self
    }

    /// One more WIT package from which code may import.
    pub(crate) fn imports(mut self, package: &str) -> Self {
        self.packages.push(package.into());
        self
    }

    /// Pages of memory, of 64 KiB each, at the start.
    pub(crate) fn memory(mut self, pages: usize) -> Self {
        self.pages = pages;
        self
    }

    /// Code of `cabi_realloc`, with `$old`, `$old-size`, `$align` and `$size`.
    pub(crate) fn realloc(mut self, code: &str) -> Self {
        self.realloc = code.into();
        self
    }

    /// Code that runs after the host has read an answer.
    pub(crate) fn post_return(mut self, code: &str) -> Self {
        self.post_return = Some(code.into());
        self
    }

    /// Another version of the contract.
    pub(crate) fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    /// Another version of WASI.
    pub(crate) fn wasi(mut self, version: &str) -> Self {
        self.wasi = version.into();
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let wasi = WASI.replace(WASI_VERSION, &self.wasi);
        let plugin = PLUGIN.replace(&format!("@{VERSION};"), &format!("@{};", self.version));
        let mut texts = vec![wasi.as_str(), plugin.as_str()];
        texts.extend(self.packages.iter().map(String::as_str));
        let mut resolve = packages(&texts);

        let module = self.module(&resolve);
        let mut world = String::from("package guest:made; world made {");
        for (interface, _) in called(&module) {
            let import = format!("import {};", versioned(&resolve, interface));
            if !world.contains(&import) {
                world.push_str(&import);
            }
        }
        write!(world, "export mcp-hub:plugin/tools@{}; }}", self.version).expect("room");
        let package = resolve.push_str("made.wit", &world).expect("a world");
        let world = resolve.select_world(&[package], None).expect("one world");
        encode(&resolve, world, &module)
    }

    fn definitions(&self) -> Vec<&Value> {
        self.tools.iter().map(|tool| &tool.definition).collect()
    }

    fn module(&self, resolve: &Resolve) -> String {
        let mut image = Image::new(resolve);
        let outcome = result_of(resolve, "call-tool");
        let mut arms = String::new();
        for Tool { definition, body } in &self.tools {
            let Some(name) = definition["name"].as_str() else { continue };
            let name = image.text(name);
            let body = code(&mut image, &outcome, body);
            writeln!(
                arms,
                "(if (call $same (local.get $name) (local.get $name-len) {name})
                   (then (return {body})))"
            )
            .expect("room");
        }
        let unknown = json!({ "err": { "unknown-tool": local("name") } });
        let unknown = image.place(&outcome, &unknown);
        let list = self.list.clone().unwrap_or_else(|| {
            let tools = json!({ "ok": self.definitions() });
            Body::Outcome(tools)
        });
        let list = code(&mut image, &result_of(resolve, "list-tools"), &list);
        let mut items = image.texts(&self.items);
        if let Some(start) = &self.start {
            let start = image.texts(start);
            write!(items, "(func $start (local $i i32) {start}) (start $start)").expect("room");
        }
        let tools = format!("mcp-hub:plugin/tools@{}", self.version);
        if let Some(post) = &self.post_return {
            write!(items, r#"(func (export "cabi_post_{tools}#call-tool") (param i32) {post})"#)
                .expect("room");
        }
        let realloc = &self.realloc;
        let (heap, segment) = (image.end(), image.segment());
        let pages = self.pages.max(heap / 65536 + 1);
        format!(
            r#"(module
            (memory (export "memory") {pages})
            (global $heap (mut i32) (i32.const {heap}))
            {segment}
            {RUNTIME}
            {items}
            (func (export "cabi_realloc")
              (param $old i32) (param $old-size i32) (param $align i32) (param $size i32)
              (result i32)
              {realloc})
            (func (export "{tools}#list-tools") (result i32)
              (local $i i32) (local $n i32) (local $p i32)
              {list})
            (func (export "{tools}#call-tool")
              (param $name i32) (param $name-len i32)
              (param $arguments i32) (param $arguments-len i32)
              (param $has-responses i32) (param $responses i32) (param $responses-len i32)
              (param $has-state i32) (param $state i32) (param $state-len i32)
              (param $meta i32) (param $meta-len i32)
              (result i32)
              (local $i i32) (local $n i32) (local $p i32)
              {arms}
              {unknown}))"#
        )
    }
}

impl From<Guest> for Vec<u8> {
    fn from(guest: Guest) -> Self {
        guest.build()
    }
}

fn result_of(resolve: &Resolve, function: &str) -> Type {
    let mut interfaces = resolve.interfaces.iter();
    let tools = interfaces.find(|(_, interface)| interface.functions.contains_key("list-tools"));
    let (_, tools) = tools.expect("the plugin's contract");
    tools.functions[function].result.expect("a result")
}

/// Code that does what `body` does, and leaves the address of its answer.
fn code(image: &mut Image<'_>, of: &Type, body: &Body) -> String {
    let mut place = |value: Value| image.place(of, &value);
    let text = |text: Value| complete(&json!([{ "text": text }]));
    let blob = |kind: &str, mime: &str| {
        let blob = json!({ "data": super::image::bytes(BLOB), "mime-type": mime });
        complete(&json!([{ kind: blob }]))
    };
    match body {
        Body::Echo => place(text(local("arguments"))),
        Body::Text(answer) => place(text(json!(answer))),
        Body::Structured(answer) => {
            let mut result = text(json!(answer));
            result["ok"]["complete"]["structured-content"] = json!(answer);
            place(result)
        }
        Body::Error(case, text) => place(json!({ "err": { *case: text } })),
        Body::IsError(why) => {
            let mut result = text(json!(why));
            result["ok"]["complete"]["is-error"] = json!(true);
            place(result)
        }
        Body::Trap => "unreachable".into(),
        Body::Spin => "(loop $ever (br $ever)) unreachable".into(),
        Body::InputRequired { requests, state } => {
            let question = json!({ "input-requests": requests, "request-state": state });
            let asked = place(json!({ "ok": { "input-required": question } }));
            let texts = json!([{ "text": local("responses") }, { "text": local("state") }]);
            let told = place(complete(&texts));
            format!(
                "(if (result i32) (i32.or (local.get $has-responses) (local.get $has-state))
                   (then {told}) (else {asked}))"
            )
        }
        Body::Log(level, message) => {
            let (level, message) = (level_index(level), image.text(message));
            let log = format!("(call $mcp-hub:plugin/host#log (i32.const {level}) {message})");
            log + &code(image, of, &Body::Text("logged".into()))
        }
        Body::Progress(steps) => {
            let progress = image.texts(&format!(
                "(loop $next
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (call $mcp-hub:plugin/host#progress (f64.convert_i32_u (local.get $i))
                     (i32.const 1) (f64.const {steps}) (i32.const 1) @'step')
                   (br_if $next (i32.lt_u (local.get $i) (i32.const {steps}))))"
            ));
            progress + &code(image, of, &Body::Text("done".into()))
        }
        Body::Cancelled => {
            let stop = place(json!({ "err": "cancelled" }));
            format!(
                "(loop $again (br_if $again (i32.eqz (call $mcp-hub:plugin/host#cancelled)))) {stop}"
            )
        }
        Body::Config(key) => {
            let key = image.text(key);
            let ask = format!(
                "(call $mcp-hub:plugin/host#config {key} (i32.const {SCRATCH}))
                 (if (i32.load8_u (i32.const {SCRATCH}))
                   (then (call $say
                     (i32.load offset=4 (i32.const {SCRATCH}))
                     (i32.load offset=8 (i32.const {SCRATCH}))))
                   (else (call $say @'none')))"
            );
            code(image, of, &Body::Say(ask))
        }
        Body::Big(bytes) => {
            let answer = place(text(computed("(local.get $p)", &format!("(i32.const {bytes})"))));
            format!(
                "(local.set $p (call $alloc (i32.const {bytes})))
                 (memory.fill (local.get $p) (i32.const 120) (i32.const {bytes})) {answer}"
            )
        }
        Body::Meta => place(text(local("meta"))),
        Body::Image => place(blob("image", "image/png")),
        Body::Audio => place(blob("audio", "audio/wav")),
        Body::Resource => {
            let body = json!({ "text": "hello" });
            place(complete(&json!([{ "resource":
                { "uri": "test://hello", "mime-type": "text/plain", "body": body } }])))
        }
        Body::ResourceLink => place(complete(&json!([{ "resource-link":
            { "uri": "test://hello", "name": "hello", "title": "Hello", "size": 5 } }]))),
        Body::Json(block) => place(complete(&json!([{ "json": block }]))),
        Body::Outcome(value) => place(value.clone()),
        Body::Say(code) => {
            let answer = place(text(computed("(global.get $said)", "(global.get $said-len)")));
            image.texts(code) + &answer
        }
        Body::After(before, then) => image.texts(before) + &code(image, of, then),
        Body::Wat(code) => image.texts(code),
    }
}

/// Where a level stands among those of the WIT.
pub(crate) fn level_index(name: &str) -> usize {
    const LEVELS: [&str; 8] =
        ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
    LEVELS.iter().position(|level| *level == name).expect("a level")
}
