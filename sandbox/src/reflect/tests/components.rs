//! Components of core text and WIT, reflected and called.

use serde_json::{Value, json};
use wasmtime::{
    Config, Engine, Store,
    component::{Component, Linker},
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageMetadata, Resolve};

use crate::reflect::{Answer, FUNCTIONS_MAX, Function, Reflected, reflect, shape::TYPE_DEPTH_MAX};

/// Memory and an allocator that never frees, as every core module below needs them.
const CORE: &str = r#"
  (memory (export "memory") 4)
  (global $heap (mut i32) (i32.const 4096))
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (local.get $at))"#;

fn component(wit: &str, functions: &str) -> Vec<u8> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("test")).unwrap();
    let mut module = wat::parse_str(format!("(module {CORE} {functions})")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// The component with the doc comments of its WIT.
fn documented(mut wasm: Vec<u8>, wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let docs = PackageMetadata::extract(&resolve, package).encode().unwrap();
    append_section(&mut wasm, &docs);
    wasm
}

fn append_section(wasm: &mut Vec<u8>, docs: &[u8]) {
    let name = b"package-docs";
    let size = 1 + name.len() + docs.len();
    // The size in seven bits a byte, the least first; all but the last are marked.
    let bits = |shift: usize| u8::try_from(size >> shift & 0x7f).unwrap();
    wasm.extend([0, bits(0) | 0x80, bits(7) | 0x80, bits(14) | 0x80, bits(21)]);
    wasm.extend([u8::try_from(name.len()).unwrap()]);
    wasm.extend(name);
    wasm.extend(docs);
}

struct Loaded {
    engine: Engine,
    component: Component,
    reflected: Reflected,
}

fn load(wasm: &[u8]) -> Loaded {
    let mut config = Config::new();
    config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, wasm).unwrap();
    let reflected = reflect(&engine, &component, wasm);
    Loaded { engine, component, reflected }
}

impl Loaded {
    #[track_caller]
    fn function(&self, name: &str) -> &Function {
        let mut functions = self.reflected.functions.iter();
        functions.find(|function| function.name() == name).expect("a function of that name")
    }

    async fn call(&self, name: &str, arguments: &str) -> Answer {
        let function = self.function(name);
        let arguments = function.arguments(arguments).unwrap();
        let mut store = Store::new(&self.engine, ());
        let linker = Linker::new(&self.engine);
        let instance = linker.instantiate_async(&mut store, &self.component).await.unwrap();
        function.call(&mut store, &instance, &arguments).await.unwrap()
    }

    async fn result(&self, name: &str, arguments: &str) -> Value {
        serde_json::from_str(&self.call(name, arguments).await.into_result_json()).unwrap()
    }

    fn definition(&self, name: &str) -> Value {
        serde_json::from_str(self.function(name).definition()).unwrap()
    }

    fn names(&self) -> Vec<&str> {
        self.reflected.functions.iter().map(Function::name).collect()
    }

    fn refusals(&self) -> Vec<(&str, &str)> {
        self.reflected.refused.iter().map(|it| (&*it.function, &*it.reason)).collect()
    }
}

const RICH: &str = r#"
package acme:kitchen@0.1.0;
interface types {
  enum colour { red, green }
  flags rights { read, write, run }
  variant shape { nothing, circle(f64), named(string), perhaps(option<u8>) }
  record point { x: s32, y: s32 }
  record everything {
    yes: bool, a: s8, b: u8, c: s16, d: u16, e: s32, f: u32, g: s64, h: u64,
    narrow: f32, wide: f64, letter: char, text: string,
    bytes: list<u8>, words: list<string>, points: list<point>, pair: tuple<u8, string>,
    maybe: option<string>, deep: option<option<u8>>, deeper: list<option<option<u8>>>,
    colour: colour, shape: shape, shapes: list<shape>, rights: rights,
    outcome: result<u8, string>, plain: result, at: point,
    ages: map<string, u8>, turns: map<u8, string>, address: list<u8, 4>,
  }
  echo: func(it: everything) -> everything;
  echo-or-not: func(it: everything) -> result<everything, shape>;
}
world test { export types; }
"#;

/// A record of so many flat values goes in by pointer as it comes out, so that giving the pointer back
/// is an echo. As `ok` it moves behind the discriminant.
const RICH_CORE: &str = r#"
  (func (export "acme:kitchen/types@0.1.0#echo") (param i32) (result i32) (local.get 0))
  (func (export "acme:kitchen/types@0.1.0#echo-or-not") (param $it i32) (result i32)
    (if (i32.load8_u (local.get $it)) (then
      (memory.copy (i32.const 1032) (local.get $it) (i32.const 1000))
      (return (i32.const 1024))))
    ;; err(circle(0.5)), its payload aligned to 8
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store8 (i32.const 1032) (i32.const 1))
    (f64.store (i32.const 1040) (f64.const 0.5))
    (i32.const 1024))"#;

const EVERYTHING: &str = concat!(
    r#"{"yes":true,"a":-128,"b":255,"c":-32768,"d":65535,"e":-2147483648,"f":4294967295,"#,
    r#""g":-9223372036854775808,"h":18446744073709551615,"#,
    r#""narrow":0.1,"wide":0.1,"letter":"é","text":"a \"b\"\n😀","#,
    r#""bytes":"AP+A","words":["","x"],"points":[{"x":1,"y":-1},{"x":2,"y":0}],"pair":[7,"seven"],"#,
    r#""maybe":null,"deep":{"some":null},"deeper":[null,{"some":null},{"some":3}],"#,
    r#""colour":"green","shape":{"tag":"circle","val":1.5},"#,
    r#""shapes":[{"tag":"nothing"},{"tag":"named","val":"n"},{"tag":"perhaps","val":null}],"#,
    r#""rights":["read","run"],"outcome":{"err":"no"},"plain":{"ok":null},"at":{"x":0,"y":0},"#,
    r#""ages":{"ada":36,"bob":1},"turns":[[1,"left"],[2,"right"]],"address":[127,0,0,1]}"#
);

#[tokio::test]
async fn every_type_goes_in_and_comes_back() {
    let loaded = load(&component(RICH, RICH_CORE));
    let arguments = format!(r#"{{"it":{EVERYTHING}}}"#);
    let answer = loaded.call("echo", &arguments).await;
    assert_eq!(answer, Answer::Value { json: EVERYTHING.into(), is_object: true });
    let answer = loaded.call("echo-or-not", &arguments).await;
    assert_eq!(answer, Answer::Value { json: EVERYTHING.into(), is_object: true });
}

#[tokio::test]
async fn empty_and_special_values_come_back_too() {
    let loaded = load(&component(RICH, RICH_CORE));
    let mut all: Value = serde_json::from_str(EVERYTHING).unwrap();
    let changes = json!({
        "narrow": "NaN", "wide": "-Infinity", "letter": "\u{0}", "text": "", "bytes": "",
        "words": [], "points": [], "deep": null, "deeper": [], "rights": [], "shapes": [],
        "outcome": {"ok": 1}, "plain": {"err": null}, "ages": {}, "turns": [],
    });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let result = loaded.result("echo", &json!({"it": all}).to_string()).await;
    assert_eq!(result["structuredContent"], all);
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), all);
    assert_eq!(result["isError"], false);
}

#[tokio::test]
async fn an_err_is_a_failed_call() {
    let loaded = load(&component(RICH, RICH_CORE));
    let mut all: Value = serde_json::from_str(EVERYTHING).unwrap();
    all["yes"] = false.into();
    let result = loaded.result("echo-or-not", &json!({"it": all}).to_string()).await;
    let text = r#"{"tag":"circle","val":0.5}"#;
    assert_eq!(result, json!({"content": [{"type": "text", "text": text}], "isError": true}));
}

const PLAIN: &str = r#"
package acme:plain;
world test {
  /// Says hello.
  ///
  /// In one language.
  export greet: func(name: string) -> string;
  export ping: func();
  export count: func(words: list<string>) -> u32;
  export check: func(ok: bool) -> result;
  export parse: func(text: string) -> result<u8, string>;
  export find: func(id: u8) -> option<tuple<u8>>;
  export store: func(text: string, tag: option<string>) -> result<_, string>;
}
"#;

const PLAIN_CORE: &str = r#"
  (func $pair (param i32 i32 i32) (result i32)
    (i32.store (local.get 0) (local.get 1))
    (i32.store offset=4 (local.get 0) (local.get 2))
    (i32.const 1024))
  (func (export "greet") (param i32 i32) (result i32)
    (call $pair (i32.const 1024) (local.get 0) (local.get 1)))
  (func (export "ping"))
  (func (export "count") (param i32 i32) (result i32) (local.get 1))
  (func (export "check") (param i32) (result i32) (i32.eqz (local.get 0)))
  (func (export "parse") (param i32 i32) (result i32)
    (i32.store8 (i32.const 1024) (local.get 1))
    (if (local.get 1) (then (return (call $pair (i32.const 1028) (local.get 0) (local.get 1)))))
    (i32.store8 (i32.const 1028) (i32.const 9))
    (i32.const 1024))
  (func (export "find") (param i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.ne (local.get 0) (i32.const 0)))
    (i32.store8 (i32.const 1025) (local.get 0))
    (i32.const 1024))
  (func (export "store") (param i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 1024) (local.get 2))
    (call $pair (i32.const 1028) (local.get 3) (local.get 4)))"#;

#[tokio::test]
async fn answers_become_results_of_mcp() {
    let loaded = load(&component(PLAIN, PLAIN_CORE));
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let expected = [
        ("greet", r#"{"name":"a\nb"}"#, text("a\nb"), Some(json!({"result": "a\nb"})), false),
        ("ping", "{}", json!([]), None, false),
        ("ping", "", json!([]), None, false),
        ("ping", "null", json!([]), None, false),
        ("count", r#"{"words":["a","b"]}"#, text("2"), Some(json!({"result": 2})), false),
        ("check", r#"{"ok":true}"#, json!([]), None, false),
        ("check", r#"{"ok":false}"#, text("the function failed and did not say why"), None, true),
        ("parse", r#"{"text":""}"#, text("9"), Some(json!({"result": 9})), false),
        ("find", r#"{"id":0}"#, text("null"), Some(json!({"result": null})), false),
        ("find", r#"{"id":3}"#, text("[3]"), Some(json!({"result": [3]})), false),
        ("store", r#"{"text":"a"}"#, json!([]), None, false),
        ("store", r#"{"text":"a","tag":"no \"b\""}"#, text("no \"b\""), None, true),
    ];
    for (name, arguments, content, structured, is_error) in expected {
        let mut result = json!({"content": content, "isError": is_error});
        if let Some(structured) = structured {
            result["structuredContent"] = structured;
        }
        assert_eq!(loaded.result(name, arguments).await, result, "{name} {arguments}");
    }
    // A discriminant of one byte: any text but a short one makes it invalid, which is a trap.
    let function = loaded.function("parse");
    let arguments = function.arguments(r#"{"text":"ab"}"#).unwrap();
    let mut store = Store::new(&loaded.engine, ());
    let linker = Linker::new(&loaded.engine);
    let instance = linker.instantiate_async(&mut store, &loaded.component).await.unwrap();
    function.call(&mut store, &instance, &arguments).await.unwrap_err();
}

#[test]
fn definitions_tell_what_goes_in_and_what_comes_out() {
    let wasm = documented(component(PLAIN, PLAIN_CORE), PLAIN);
    let loaded = load(&wasm);
    let greet = concat!(
        r#"{"name":"greet","description":"Says hello.\n\nIn one language.","#,
        r#""inputSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false},"#,
        r#""outputSchema":{"type":"object","properties":{"result":{"type":"string"}},"required":["result"],"additionalProperties":false}}"#
    );
    assert_eq!(loaded.function("greet").definition(), greet);
    let empty =
        json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    assert_eq!(loaded.definition("ping"), json!({"name": "ping", "inputSchema": empty}));
    let store = loaded.definition("store");
    assert_eq!(store["inputSchema"]["required"], json!(["text"]));
    assert_eq!(store["outputSchema"], Value::Null);
    assert_eq!(loaded.definition("check")["outputSchema"], Value::Null);
    let parse = &loaded.definition("parse")["outputSchema"]["properties"]["result"];
    assert_eq!(*parse, json!({"type": "integer", "minimum": 0, "maximum": 255}));
}

#[test]
fn bad_arguments_are_told_in_sentences() {
    let loaded = load(&component(PLAIN, PLAIN_CORE));
    let problem = |name, json| loaded.function(name).arguments(json).unwrap_err().to_string();
    assert_eq!(problem("greet", "{}"), "argument `name` is missing; it must be a string");
    assert_eq!(problem("greet", ""), "argument `name` is missing; it must be a string");
    assert_eq!(problem("greet", "[]"), "the arguments: a JSON object is expected");
    assert_eq!(
        problem("greet", "{"),
        "the arguments: not JSON: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(problem("ping", r#"{"x":1}"#), "argument `x` is not known; known here: nothing");
    assert_eq!(
        problem("count", r#"{"words":["a",2]}"#),
        "argument `words[1]` must be a string, but is 2"
    );
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(problem("greet", &long), "the arguments: 1048587 bytes; the limit is 1048576");
    let deep = format!(r#"{{"words":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert!(problem("count", &deep).contains("recursion limit"), "deep JSON is refused");
}

const PLACES: &str = r#"
package acme:places@1.2.0;
interface here {
  /// Here.
  look: func() -> u8;
  only-here: func() -> u8;
}
interface there { look: func() -> u8; move-on: func(); }
world test {
  export here;
  export there;
  export inline: interface {
    /// Inline.
    move-on: func();
  }
  export move-on: func();
}
"#;

const PLACES_CORE: &str = r#"
  (func (export "acme:places/here@1.2.0#look") (result i32) (i32.const 1))
  (func (export "acme:places/here@1.2.0#only-here") (result i32) (i32.const 2))
  (func (export "acme:places/there@1.2.0#look") (result i32) (i32.const 3))
  (func (export "acme:places/there@1.2.0#move-on"))
  (func (export "inline#move-on"))
  (func (export "move-on"))"#;

#[tokio::test]
async fn functions_of_one_name_are_told_apart_by_their_interfaces() {
    let loaded = load(&documented(component(PLACES, PLACES_CORE), PLACES));
    let mut names = loaded.names();
    names.sort_unstable();
    let expected =
        ["here_look", "inline_move-on", "move-on", "only-here", "there_look", "there_move-on"];
    assert_eq!(names, expected);
    assert_eq!(loaded.function("there_look").origin(), "acme:places/there@1.2.0#look");
    for (name, result) in [("here_look", 1), ("only-here", 2), ("there_look", 3)] {
        let answer = loaded.result(name, "{}").await;
        assert_eq!(answer["structuredContent"], json!({"result": result}));
    }
    let description = |name| loaded.definition(name)["description"].clone();
    assert_eq!(description("here_look"), "Here.");
    assert_eq!(description("inline_move-on"), "Inline.");
    assert_eq!(description("there_look"), "`look` of the interface `acme:places/there@1.2.0`");
    assert_eq!(description("move-on"), Value::Null);
}

const UNFIT: &str = r#"
package acme:unfit;
interface files {
  resource file {
    constructor(name: string);
    read: func() -> list<u8>;
    count: static func() -> u8;
  }
  record options { sources: list<option<borrow<file>>> }
  copy: func(name: string, options: options) -> bool;
  make: func() -> result<tuple<u8, file>, string>;
  free: func() -> u8;
}
world test { export files; }
"#;

const UNFIT_CORE: &str = r#"
  (func (export "acme:unfit/files#[constructor]file") (param i32 i32) (result i32) unreachable)
  (func (export "acme:unfit/files#[method]file.read") (param i32) (result i32) unreachable)
  (func (export "acme:unfit/files#[static]file.count") (result i32) (i32.const 4))
  (func (export "acme:unfit/files#copy") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "acme:unfit/files#make") (result i32) unreachable)
  (func (export "acme:unfit/files#free") (result i32) (i32.const 5))"#;

#[tokio::test]
async fn what_json_cannot_carry_is_refused_with_its_place() {
    let loaded = load(&component(UNFIT, UNFIT_CORE));
    let mut names = loaded.names();
    names.sort_unstable();
    assert_eq!(names, ["file_count", "free"]);
    assert_eq!(loaded.result("file_count", "{}").await["structuredContent"]["result"], 4);
    let mut refusals = loaded.refusals();
    refusals.sort_unstable();
    assert_eq!(
        refusals,
        [
            (
                "acme:unfit/files#[constructor]file",
                "the result is a resource, which JSON cannot carry"
            ),
            (
                "acme:unfit/files#[method]file.read",
                "the parameter `self` borrows a resource, which JSON cannot carry"
            ),
            (
                "acme:unfit/files#copy",
                "the parameter `options.sources[]` borrows a resource, which JSON cannot carry"
            ),
            ("acme:unfit/files#make", "the result `ok[1]` is a resource, which JSON cannot carry"),
        ]
    );
}

#[test]
fn what_wasi_has_a_component_export_is_no_tool() {
    let wit = "package wasi:cli@0.2.6; interface run { run: func() -> result; }
        world test { export run; }";
    let core = r#"(func (export "wasi:cli/run@0.2.6#run") (result i32) (i32.const 0))"#;
    let loaded = load(&component(wit, core));
    assert!(loaded.names().is_empty());
    let reason = "functions of WASI are for a host, not for a model";
    assert_eq!(loaded.refusals(), [("wasi:cli/run@0.2.6#run", reason)]);
}

/// A few hundred bytes that stand for 2^14 types. (Compilers of components stop at 10^6.)
#[test]
fn types_that_unfold_beyond_measure_are_refused() {
    let doubled: String =
        (1..=13).map(|level| format!("type t{level} = tuple<t{0}, t{0}>;\n", level - 1)).collect();
    let nested: String =
        (1..=30).map(|level| format!("type n{level} = list<n{}>;\n", level - 1)).collect();
    let wit = format!(
        "package acme:big; interface big {{ type t0 = u8; {doubled} type n0 = u16; {nested}
           wide: func(it: list<t13>); deep: func(it: n30); fine: func(it: n20); }}
         world test {{ export big; }}"
    );
    let core = r#"
      (func (export "acme:big/big#wide") (param i32 i32))
      (func (export "acme:big/big#deep") (param i32 i32))
      (func (export "acme:big/big#fine") (param i32 i32))"#;
    let loaded = load(&component(&wit, core));
    assert_eq!(loaded.names(), ["fine"]);
    let mut reasons: Vec<_> = loaded.refusals().into_iter().map(|(_, reason)| reason).collect();
    reasons.sort_unstable();
    assert!(reasons[0].ends_with("` makes the types too large"), "{reasons:?}");
    assert!(reasons[1].ends_with("` nests too many types"), "{reasons:?}");
}

/// Each variant takes four levels of its schema.
#[test]
fn the_deepest_type_has_a_schema_that_is_read_again() {
    let last = TYPE_DEPTH_MAX - 1;
    let variants: String = (1..=last)
        .map(|level| format!("variant v{level} {{ some(v{}), none }}\n", level - 1))
        .collect();
    let wit = format!(
        "package acme:deep; interface deep {{ type v0 = u8; {variants} f: func(it: v{last}) -> v{last}; }}
         world test {{ export deep; }}"
    );
    let core = r#"(func (export "acme:deep/deep#f") (param i32) (result i32) unreachable)"#;
    let loaded = load(&component(&wit, core));
    let value = "{\"tag\":\"some\",\"val\":".repeat(last) + "7" + &"}".repeat(last);
    loaded.function("f").arguments(&format!(r#"{{"it":{value}}}"#)).unwrap();
    assert!(loaded.definition("f")["outputSchema"].is_object());
}

#[test]
fn faulty_docs_are_passed_over() {
    for docs in [&b""[..], b"\x01", b"\x01{", b"\x07{}", b"\x01[]", b"\x01{\"worlds\":3}"] {
        let mut wasm = component(PLAIN, PLAIN_CORE);
        append_section(&mut wasm, docs);
        let loaded = load(&wasm);
        assert_eq!(loaded.definition("greet").get("description"), None);
    }
    let mut wasm = component(PLAIN, PLAIN_CORE);
    append_section(&mut wasm, b"\x01[]");
    let loaded = load(&documented(wasm, PLAIN));
    assert_eq!(loaded.definition("greet")["description"], "Says hello.\n\nIn one language.");
}

#[test]
fn docs_beyond_measure_are_passed_over() {
    let docs = |bytes: usize| {
        let json = r#"{"worlds":{"test":{"func_exports":{"greet":{"docs":"Hello."}}}}}"#;
        format!("\u{1}{json}{}", " ".repeat(bytes - 1 - json.len()))
    };
    let wasm = component(PLAIN, PLAIN_CORE);
    for (bytes, description) in [(1 << 20, json!("Hello.")), ((1 << 20) + 1, Value::Null)] {
        let mut wasm = wasm.clone();
        append_section(&mut wasm, docs(bytes).as_bytes());
        assert_eq!(load(&wasm).definition("greet")["description"], description);
    }
}

/// A component with functions `go0`, `go1`, … of one parameter, a tuple of 2^`doublings` bytes.
fn many(count: usize, doublings: usize) -> Loaded {
    let types: String =
        (1..=doublings).map(|n| format!("type t{n} = tuple<t{0}, t{0}>;\n", n - 1)).collect();
    let wit: String = (0..count).map(|n| format!("go{n}: func(it: t{doublings});\n")).collect();
    let wit = format!(
        "package acme:many; interface many {{ type t0 = u8; {types} {wit} }}
         world test {{ export many; }}"
    );
    let core: String = (0..count)
        .map(|n| format!(r#"(func (export "acme:many/many#go{n}") (param i32))"#))
        .collect();
    load(&component(&wit, &core))
}

#[test]
fn a_component_offers_so_many_functions() {
    let loaded = many(FUNCTIONS_MAX + 1, 0);
    assert_eq!(loaded.names().len(), FUNCTIONS_MAX);
    let [(_, reason)] = loaded.refusals()[..] else { panic!("one function is too many") };
    assert_eq!(reason, "the component has more than 1000 functions");
}

#[test]
fn the_types_of_all_functions_together_have_a_measure() {
    // 2^11 types of 64 bytes, so that 128 functions reach it.
    let loaded = many(130, 10);
    assert!((120..130).contains(&loaded.names().len()), "{:?}", loaded.names().len());
    assert!(loaded.refusals().iter().all(|(_, reason)| reason.ends_with("the types too large")));
}
