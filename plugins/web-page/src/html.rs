//! HTML as a tree, built by the most common rules of the HTML standard (13.2.6).

use std::borrow::Cow;

use crate::tokens::{Attribute, Token, tokens};

/// How deep elements may lie within each other. What lies deeper is taken to lie here.
const MAX_DEPTH: usize = 100;

#[derive(Debug)]
pub enum Node<'a> {
    Text(Cow<'a, str>),
    Element(Element<'a>),
}

#[derive(Debug, Default)]
pub struct Element<'a> {
    pub name: Cow<'a, str>,
    /// Those that somebody asks for, see [`is_kept`].
    pub attributes: Vec<Attribute<'a>>,
    pub children: Vec<Node<'a>>,
}

/// Most of what a page consists of is of no use here, and would not fit.
fn is_kept(element: &str, attribute: &str) -> bool {
    match attribute {
        "alt" | "aria-hidden" | "colspan" | "hidden" | "href" | "role" | "src" | "start"
        | "style" => true,
        "class" => matches!(element, "code" | "pre"),
        _ => false,
    }
}

impl<'a> Element<'a> {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let attribute = self.attributes.iter().find(|(key, _)| key == name);
        attribute.map(|(_, value)| value.as_ref())
    }

    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// All elements within it for which `test` holds, but none within such a one.
    pub fn find<'b>(&'b self, test: &dyn Fn(&Self) -> bool, found: &mut Vec<&'b Self>) {
        for element in self.elements() {
            if test(element) {
                found.push(element);
            } else {
                element.find(test, found);
            }
        }
    }

    /// The text within it as it is written.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.append_text(&mut text);
        text
    }

    fn append_text(&self, text: &mut String) {
        for node in &self.children {
            match node {
                Node::Text(part) => text.push_str(part),
                Node::Element(element) if element.name == "br" => text.push('\n'),
                Node::Element(element) => element.append_text(text),
            }
        }
    }
}

/// Reads a page. Nothing is an error: browsers show everything, too.
pub fn parse(html: &str) -> Element<'_> {
    let mut tree = Tree { open: vec![Element::default()] };
    for token in tokens(html) {
        match token {
            Token::Start { name, mut attributes } => {
                attributes.retain(|(attribute, _)| is_kept(&name, attribute));
                attributes.shrink_to_fit();
                tree.start(Element { name, attributes, children: Vec::new() });
            }
            Token::End(name) => tree.end(&name),
            Token::Text(text) => tree.add(Node::Text(text)),
        }
    }
    tree.finish()
}

struct Tree<'a> {
    /// The elements that have begun and not ended. The first is the page.
    open: Vec<Element<'a>>,
}

impl<'a> Tree<'a> {
    fn start(&mut self, element: Element<'a>) {
        let name = element.name.as_ref();
        // What begins here may end what its author left open.
        match name {
            "li" => self.close(&["li"], &["ul", "ol", "menu", "table"]),
            "dt" | "dd" => self.close(&["dt", "dd"], &["dl", "table"]),
            "td" | "th" => self.close(&["td", "th"], &["tr", "table"]),
            "tr" => self.close(&["tr"], &["table"]),
            "thead" | "tbody" | "tfoot" => self.close(&["thead", "tbody", "tfoot"], &["table"]),
            "option" => self.close(&["option"], &["select"]),
            "a" => self.close(&["a"], &["td", "th", "li", "table"]),
            "body" => self.close(&["head"], &[]),
            _ => {}
        }
        if is_block(name) {
            self.close(&["p"], &["button", "td", "th", "caption", "table"]);
        }
        if is_void(name) {
            self.add(Node::Element(element));
        } else if self.open.len() < MAX_DEPTH {
            self.open.push(element);
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "br" => self.add(Node::Element(Element { name: "br".into(), ..Element::default() })),
            "table" | "html" | "body" => self.close(&[name], &[]),
            "tr" | "thead" | "tbody" | "tfoot" | "td" | "th" | "caption" => {
                self.close(&[name], &["table"]);
            }
            // Within a cell nothing ends that began outside.
            _ => self.close(&[name], &["td", "th", "caption", "table"]),
        }
    }

    fn add(&mut self, node: Node<'a>) {
        if let Some(last) = self.open.last_mut() {
            last.children.push(node);
        }
    }

    /// Ends the innermost element of one of these names with all that is open within it, if none of
    /// `bounds` lies between.
    fn close(&mut self, names: &[&str], bounds: &[&str]) {
        let is = |element: &Element<'_>, names: &[&str]| names.contains(&element.name.as_ref());
        let inner =
            self.open.iter().skip(1).rposition(|element| is(element, names) || is(element, bounds));
        if let Some(inner) = inner.filter(|&inner| is(&self.open[inner + 1], names)) {
            while self.open.len() > inner + 1 {
                self.pop();
            }
        }
    }

    fn pop(&mut self) {
        if let Some(mut element) = self.open.pop() {
            element.children.shrink_to_fit();
            self.add(Node::Element(element));
        }
    }

    fn finish(mut self) -> Element<'a> {
        while self.open.len() > 1 {
            self.pop();
        }
        self.open.pop().unwrap_or_default()
    }
}

fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// What stands by itself, and does not flow with the text around it.
pub fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "body"
            | "caption"
            | "center"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hgroup"
            | "hr"
            | "html"
            | "legend"
            | "li"
            | "main"
            | "menu"
            | "nav"
            | "ol"
            | "p"
            | "pre"
            | "search"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "ul"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(html: &str) -> String {
        fn write(element: &Element<'_>, text: &mut String) {
            for node in &element.children {
                match node {
                    Node::Text(part) => text.push_str(part),
                    Node::Element(element) => {
                        text.push('(');
                        text.push_str(&element.name);
                        text.push(' ');
                        write(element, text);
                        text.push(')');
                    }
                }
            }
        }
        let mut text = String::new();
        write(&parse(html), &mut text);
        text
    }

    #[test]
    fn what_authors_leave_open_is_closed() {
        assert_eq!(shape("<ul><li>a<li>b<ul><li>c</ul></ul>d"), "(ul (li a)(li b(ul (li c))))d");
        assert_eq!(shape("<p>a<p>b<div>c"), "(p a)(p b)(div c)");
        assert_eq!(
            shape("<table><tr><td>a<td>b</div><tr><th>c</table>d"),
            "(table (tr (td a)(td b))(tr (th c)))d"
        );
        assert_eq!(shape("<dl><dt>a<dd>b<dt>c</dl>"), "(dl (dt a)(dd b)(dt c))");
        assert_eq!(shape("a<br>b</br>c</p>"), "a(br )b(br )c");
        assert_eq!(shape("<script>a<b>c</script>d &amp; &eacute;&#8364;"), "(script a<b>c)d & é€");
    }

    #[test]
    fn a_deep_page_is_no_deep_tree() {
        let html = format!("{}x", "<div>".repeat(10_000));
        assert!(parse(&html).text().ends_with('x'));
    }
}
