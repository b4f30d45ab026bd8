//! Each type: its schema, what is read and written back, and what is refused in which words.

use serde_json::Value;
use wasmtime::component::Val;

use crate::reflect::{
    json_to_val::read,
    schema::schema,
    shape::{Case, Field, Integer, Shape},
    val_to_json::{JSON_BYTES_MAX, written},
};

fn boxed(shape: Shape) -> Box<Shape> {
    Box::new(shape)
}

fn field(name: &str, shape: Shape) -> Field {
    Field { name: name.to_owned(), shape }
}

fn case(name: &str, shape: Option<Shape>) -> Case {
    Case { name: name.to_owned(), value: shape.map(|shape| field("val", shape)) }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn u8() -> Shape {
    Shape::Integer(Integer::U8)
}

#[track_caller]
fn described(shape: &Shape, expected: &str) {
    let schema = schema(shape);
    assert_eq!(schema, expected);
    serde_json::from_str::<Value>(&schema).expect("a schema is JSON");
}

#[track_caller]
fn becomes(shape: &Shape, json: &str, expected: &str) {
    let val = read(serde_json::from_str(json).unwrap(), shape).unwrap();
    assert_eq!(written(&val, shape).unwrap(), expected);
}

/// Read and written again it is the same text.
#[track_caller]
fn stays(shape: &Shape, texts: &[&str]) {
    for json in texts {
        becomes(shape, json, json);
    }
}

#[track_caller]
fn refused(shape: &Shape, json: &str, sentence: &str) {
    let error = read(serde_json::from_str(json).unwrap(), shape).unwrap_err();
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn a_bool_is_true_or_false() {
    described(&Shape::Bool, r#"{"type":"boolean"}"#);
    stays(&Shape::Bool, &["true", "false"]);
    refused(&Shape::Bool, "1", "the arguments: must be true or false, but is 1");
    refused(&Shape::Bool, r#""true""#, "the arguments: must be true or false, but is a string");
}

#[test]
fn integers_keep_to_their_ranges_exactly() {
    let ranges = [
        (Integer::S8, "-128", "127"),
        (Integer::U8, "0", "255"),
        (Integer::S16, "-32768", "32767"),
        (Integer::U16, "0", "65535"),
        (Integer::S32, "-2147483648", "2147483647"),
        (Integer::U32, "0", "4294967295"),
        (Integer::S64, "-9223372036854775808", "9223372036854775807"),
        (Integer::U64, "0", "18446744073709551615"),
    ];
    for (integer, least, most) in ranges {
        let shape = Shape::Integer(integer);
        described(&shape, &format!(r#"{{"type":"integer","minimum":{least},"maximum":{most}}}"#));
        stays(&shape, &[least, most]);
        let (below, above) = (integer.range().start() - 1, integer.range().end() + 1);
        for beyond in [below, above] {
            let json = serde_json::from_str(&beyond.to_string()).unwrap();
            let error = read(json, &shape).unwrap_err().to_string();
            assert!(error.contains(&format!("an integer from {least} to {most}, but")), "{error}");
        }
    }
}

#[test]
fn an_integer_may_be_written_with_a_zero_fraction_while_that_is_exact() {
    becomes(&u8(), "3.0", "3");
    becomes(&u8(), "-0", "0");
    becomes(&Shape::Integer(Integer::U64), "9007199254740992.0", "9007199254740992");
    refused(&u8(), "3.5", "the arguments: must be an integer from 0 to 255, but is 3.5");
    refused(&u8(), r#""3""#, "the arguments: must be an integer from 0 to 255, but is a string");
    let beyond = "the arguments: must be an integer from 0 to 18446744073709551615, but is 0.1";
    refused(&Shape::Integer(Integer::U64), "0.1", beyond);
    read(Value::from(1e19), &Shape::Integer(Integer::U64)).unwrap_err();
}

#[test]
fn floats_know_what_json_has_no_numbers_for() {
    let schema = r#"{"anyOf":[{"type":"number"},{"enum":["NaN","Infinity","-Infinity"]}]}"#;
    for shape in [Shape::Float32, Shape::Float64] {
        described(&shape, schema);
        stays(&shape, &["0.1", "-0.0", "1e-7", r#""NaN""#, r#""Infinity""#, r#""-Infinity""#]);
        becomes(&shape, "3", "3.0");
        let sentence =
            r#"the arguments: must be a number, "NaN", "Infinity" or "-Infinity", but is a string"#;
        refused(&shape, r#""1""#, sentence);
    }
    stays(&Shape::Float64, &["0.30000000000000004", "5e-324"]);
    stays(&Shape::Float32, &["16777216.0", "1e-45"]);
    for (shape, most) in [(Shape::Float32, f64::from(f32::MAX)), (Shape::Float64, f64::MAX)] {
        let val = read(Value::from(most), &shape).unwrap();
        let json = written(&val, &shape).unwrap();
        let back = read(serde_json::from_str(&json).unwrap(), &shape).unwrap();
        assert_eq!(val, back, "{json}");
    }
    let sentence = "the arguments: must be a number that 32 bits can hold, but is 1e39";
    refused(&Shape::Float32, "1e39", sentence);
}

#[test]
fn a_char_is_a_string_of_one() {
    described(&Shape::Char, r#"{"type":"string","minLength":1,"maxLength":1}"#);
    stays(&Shape::Char, &[r#""a""#, r#""é""#, r#""🦀""#, r#""\"""#, r#""\u0000""#]);
    let sentence = |count| {
        format!(
            "the arguments: must be a string of exactly one character, but has {count} characters"
        )
    };
    refused(&Shape::Char, r#""""#, &sentence(0));
    refused(&Shape::Char, r#""ab""#, &sentence(2));
}

#[test]
fn a_string_is_a_string() {
    described(&Shape::String, r#"{"type":"string"}"#);
    stays(&Shape::String, &[r#""""#, r#""a\nb\\\"""#, r#""\u0001 😀""#]);
    refused(&Shape::String, "null", "the arguments: must be a string, but is null");
}

#[test]
fn bytes_are_base64_and_may_come_as_numbers() {
    described(&Shape::Bytes, r#"{"type":"string","contentEncoding":"base64"}"#);
    stays(&Shape::Bytes, &[r#""""#, r#""AA==""#, r#""AP+A""#]);
    becomes(&Shape::Bytes, r#""AA""#, r#""AA==""#);
    becomes(&Shape::Bytes, "[]", r#""""#);
    becomes(&Shape::Bytes, "[0,255,128]", r#""AP+A""#);
    refused(
        &Shape::Bytes,
        "[0,256]",
        "argument `[1]` must be an integer from 0 to 255, but is 256",
    );
    refused(&Shape::Bytes, "7", "the arguments: must be a string of base64, but is 7");
    let json = serde_json::from_str(r#""A*""#).unwrap();
    let error = read(json, &Shape::Bytes).unwrap_err().to_string();
    assert!(error.starts_with("the arguments: must be a string of base64, but: "), "{error}");
}

#[test]
fn lists_name_the_element_at_fault() {
    let list = Shape::List(boxed(Shape::String));
    described(&list, r#"{"type":"array","items":{"type":"string"}}"#);
    stays(&list, &["[]", r#"["a","b"]"#]);
    refused(&list, r#"["a",1]"#, "argument `[1]` must be a string, but is 1");
    refused(&list, r#""a""#, "the arguments: must be an array, but is a string");
}

#[test]
fn lists_of_fixed_length_have_that_length() {
    let list = Shape::FixedList(boxed(u8()), 2);
    let item = r#"{"type":"integer","minimum":0,"maximum":255}"#;
    described(&list, &format!(r#"{{"type":"array","items":{item},"minItems":2,"maxItems":2}}"#));
    stays(&list, &["[1,2]"]);
    refused(&list, "[1]", "the arguments: must have exactly 2 elements, but has 1");
}

#[test]
fn maps_are_objects_or_pairs() {
    let dictionary = Shape::Dictionary(boxed(Shape::Bool));
    described(&dictionary, r#"{"type":"object","additionalProperties":{"type":"boolean"}}"#);
    stays(&dictionary, &["{}", r#"{"a":true,"b":false}"#]);
    refused(&dictionary, r#"{"a":1}"#, "argument `a` must be true or false, but is 1");

    let map = Shape::Map(boxed(Shape::Bool), boxed(Shape::String));
    described(
        &map,
        r#"{"type":"array","items":{"type":"array","prefixItems":[{"type":"boolean"},{"type":"string"}],"minItems":2,"maxItems":2}}"#,
    );
    stays(&map, &["[]", r#"[[true,"a"],[false,"b"]]"#]);
    refused(&map, "[[true]]", "argument `[0]` must have exactly 2 elements, but has 1");
    refused(&map, "[[true,1]]", "argument `[0][1]` must be a string, but is 1");
    refused(&map, "[0]", "argument `[0]` must be an array of key and value, but is 0");
}

#[test]
fn of_a_key_that_a_component_gives_twice_the_last_value_counts() {
    let entry = |key: &str, bool| (Val::String(key.into()), Val::Bool(bool));
    let map = Val::Map(vec![entry("a", true), entry("b", true), entry("a", false)]);
    let json = written(&map, &Shape::Dictionary(boxed(Shape::Bool))).unwrap();
    assert_eq!(json, r#"{"b":true,"a":false}"#);
}

#[test]
fn a_value_that_fills_the_hub_is_refused() {
    let list = Shape::List(boxed(Shape::String));
    let text = || Val::String("x".repeat(JSON_BYTES_MAX / 4));
    written(&Val::List(vec![text(), text()]), &list).unwrap();
    written(&Val::List(vec![text(), text(), text(), text()]), &list).unwrap_err();
}

#[test]
fn a_value_of_another_type_is_refused() {
    written(&Val::Bool(true), &Shape::String).unwrap_err();
    written(&Val::List(vec![Val::Bool(true)]), &Shape::Bytes).unwrap_err();
}

fn person() -> Shape {
    let nick = Shape::Option(boxed(Shape::String));
    Shape::Record(vec![field("name", Shape::String), field("age", u8()), field("nick", nick)])
}

#[test]
fn records_want_all_but_their_options_and_nothing_else() {
    described(
        &person(),
        concat!(
            r#"{"type":"object","properties":{"name":{"type":"string"},"#,
            r#""age":{"type":"integer","minimum":0,"maximum":255},"#,
            r#""nick":{"anyOf":[{"type":"string"},{"type":"null"}]}},"#,
            r#""required":["name","age"],"additionalProperties":false}"#
        ),
    );
    stays(&person(), &[r#"{"name":"Ada","age":36,"nick":"A"}"#]);
    becomes(&person(), r#"{"age":36,"name":"Ada"}"#, r#"{"name":"Ada","age":36,"nick":null}"#);
    let sentence = "argument `age` is missing; it must be an integer from 0 to 255";
    refused(&person(), r#"{"name":"Ada"}"#, sentence);
    let sentence = "argument `nam` is not known; known here: `name`, `age`, `nick`";
    refused(&person(), r#"{"nam":"Ada","age":1}"#, sentence);
    let sentence = "the arguments: must be an object of `name`, `age`, `nick`, but is an array";
    refused(&person(), "[]", sentence);
    let people = Shape::Record(vec![field("people", Shape::List(boxed(person())))]);
    let json = r#"{"people":[{"name":"Ada","age":36},{"name":"Bob","age":-1}]}"#;
    let sentence = "argument `people[1].age` must be an integer from 0 to 255, but is -1";
    refused(&people, json, sentence);
}

#[test]
fn tuples_have_their_length() {
    let tuple = Shape::Tuple(vec![Shape::Bool, Shape::String]);
    described(
        &tuple,
        r#"{"type":"array","prefixItems":[{"type":"boolean"},{"type":"string"}],"minItems":2,"maxItems":2}"#,
    );
    stays(&tuple, &[r#"[true,"a"]"#]);
    refused(&tuple, "[true]", "the arguments: must have exactly 2 elements, but has 1");
    refused(&tuple, "[true,2]", "argument `[1]` must be a string, but is 2");
    let sentence = "the arguments: must be an array of exactly 2 elements, but is an object";
    refused(&tuple, "{}", sentence);
}

#[test]
fn variants_have_a_tag_and_a_value() {
    let optional = Shape::Option(boxed(Shape::Bool));
    let cases = [case("none", None), case("some", Some(u8())), case("maybe", Some(optional))];
    let variant = Shape::Variant(cases.into());
    described(
        &variant,
        concat!(
            r#"{"type":"object","oneOf":["#,
            r#"{"type":"object","properties":{"tag":{"const":"none"}},"required":["tag"],"additionalProperties":false},"#,
            r#"{"type":"object","properties":{"tag":{"const":"some"},"val":{"type":"integer","minimum":0,"maximum":255}},"required":["tag","val"],"additionalProperties":false},"#,
            r#"{"type":"object","properties":{"tag":{"const":"maybe"},"val":{"anyOf":[{"type":"boolean"},{"type":"null"}]}},"required":["tag"],"additionalProperties":false}]}"#
        ),
    );
    stays(&variant, &[r#"{"tag":"none"}"#, r#"{"tag":"some","val":7}"#]);
    becomes(&variant, r#"{"tag":"maybe"}"#, r#"{"tag":"maybe","val":null}"#);
    let sentence = "argument `val` is missing; it must be an integer from 0 to 255";
    refused(&variant, r#"{"tag":"some"}"#, sentence);
    let sentence = r#"argument `val` has no place here: the case "none" carries nothing"#;
    refused(&variant, r#"{"tag":"none","val":1}"#, sentence);
    let sentence = r#"argument `tag` must be one of `none`, `some`, `maybe`, but is "all""#;
    refused(&variant, r#"{"tag":"all"}"#, sentence);
    let sentence = "argument `tag` is missing; it must be one of `none`, `some`, `maybe`";
    refused(&variant, "{}", sentence);
    let sentence = "argument `value` is not known; known here: `val`";
    refused(&variant, r#"{"tag":"some","value":7}"#, sentence);
    let sentence = "the arguments: must be an object with `tag` and, if the case has one, `val`, but is a string";
    refused(&variant, r#""none""#, sentence);
}

#[test]
fn enums_are_their_names() {
    let colour = Shape::Enum(names(&["red", "green"]));
    described(&colour, r#"{"type":"string","enum":["red","green"]}"#);
    stays(&colour, &[r#""red""#, r#""green""#]);
    let sentence = r#"the arguments: must be one of `red`, `green`, but is "blue""#;
    refused(&colour, r#""blue""#, sentence);
    refused(&colour, "0", "the arguments: must be one of `red`, `green`, but is 0");
}

#[test]
fn a_sentence_names_only_the_first_of_many() {
    let many: Vec<_> = (0..25).map(|number| format!("n{number}")).collect();
    let json = Value::from("x".repeat(100));
    let error = read(json, &Shape::Enum(many)).unwrap_err().to_string();
    assert!(error.contains("`n19` and 5 more, but is \"xxxx"), "{error}");
    assert!(error.len() < 300, "{error}");
}

#[test]
fn flags_are_names_and_may_come_as_switches() {
    let rights = Shape::Flags(names(&["read", "write"]));
    described(
        &rights,
        r#"{"type":"array","items":{"type":"string","enum":["read","write"]},"uniqueItems":true}"#,
    );
    stays(&rights, &["[]", r#"["read"]"#, r#"["read","write"]"#]);
    becomes(&rights, r#"{"read":false,"write":true}"#, r#"["write"]"#);
    let sentence = r#"argument `[0]` must be one of `read`, `write`, but is "run""#;
    refused(&rights, r#"["run"]"#, sentence);
    refused(&rights, r#"["read","read"]"#, r#"the arguments: must not name "read" twice"#);
    let sentence = "argument `run` is not known; known here: `read`, `write`";
    refused(&rights, r#"{"run":true}"#, sentence);
    refused(&rights, r#"{"read":1}"#, "argument `read` must be true or false, but is 1");
    let sentence = "the arguments: must be an array of `read`, `write`, but is a string";
    refused(&rights, r#""read""#, sentence);
}

#[test]
fn options_are_null_and_options_within_are_told_apart() {
    let option = Shape::Option(boxed(Shape::Bool));
    described(&option, r#"{"anyOf":[{"type":"boolean"},{"type":"null"}]}"#);
    stays(&option, &["null", "true"]);
    refused(&option, "1", "the arguments: must be true or false, but is 1");
    let nested = Shape::Option(boxed(option));
    described(
        &nested,
        concat!(
            r#"{"anyOf":[{"type":"object","properties":{"some":{"anyOf":[{"type":"boolean"},{"type":"null"}]}},"#,
            r#""required":["some"],"additionalProperties":false},{"type":"null"}]}"#
        ),
    );
    stays(&nested, &["null", r#"{"some":null}"#, r#"{"some":true}"#]);
    let sentence = "the arguments: must be null or an object of `some`, but is true";
    refused(&nested, "true", sentence);
    refused(&nested, r#"{"some":1}"#, "argument `some` must be true or false, but is 1");
}

#[test]
fn results_are_ok_or_err() {
    let result = Shape::Result(Some(boxed(Shape::Bool)), None);
    described(
        &result,
        concat!(
            r#"{"type":"object","oneOf":["#,
            r#"{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],"additionalProperties":false},"#,
            r#"{"type":"object","properties":{"err":{"type":"null"}},"required":["err"],"additionalProperties":false}]}"#
        ),
    );
    stays(&result, &[r#"{"ok":true}"#, r#"{"err":null}"#]);
    refused(&result, r#"{"ok":1}"#, "argument `ok` must be true or false, but is 1");
    refused(&result, r#"{"err":1}"#, "argument `err` must be null, but is 1");
    for wrong in ["{}", r#"{"no":1}"#, r#"{"ok":true,"err":null}"#] {
        let sentence =
            "the arguments: must be an object with exactly one of `ok` and `err`, but is an object";
        refused(&result, wrong, sentence);
    }
}
