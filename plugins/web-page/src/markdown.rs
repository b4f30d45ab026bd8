//! HTML to Markdown: what there is to read, and nothing of how it looked.

use crate::address::Address;
use crate::html::{Element, Node, is_block, parse};

/// How many columns a table may have; what a page claims beyond is not believed.
const MAX_COLUMNS: usize = 50;
/// If what calls itself the page's main part has less, the whole page is taken, in characters.
const MIN_MAIN: usize = 200;

pub struct Page {
    pub title: String,
    pub markdown: String,
}

/// Converts a page that lies at `address`.
pub fn convert(html: &str, address: &Address) -> Page {
    let page = parse(html);
    let first = |name: &str| {
        let mut found = Vec::new();
        page.find(&|element| element.name == name, &mut found);
        found.into_iter().next()
    };
    let base = first("base").and_then(|base| address.join(base.attribute("href")?));
    let base = base.and_then(|base| Address::parse(&base).ok());
    let writer = Writer { base: base.as_ref().unwrap_or(address) };
    let title = first("title").map(|title| words(&title.text())).unwrap_or_default();

    let mut markdown = String::new();
    if let Some(main) = main(&page) {
        markdown = writer.blocks(&main.children).join("\n\n");
    }
    if markdown.chars().take(MIN_MAIN).count() < MIN_MAIN {
        // The page says it badly, or not at all.
        markdown = writer.blocks(&page.children).join("\n\n");
    }
    Page { title, markdown }
}

/// The part of the page that is there to be read, if the page says which that is.
fn main<'a>(page: &'a Element<'a>) -> Option<&'a Element<'a>> {
    let mut found = Vec::new();
    let is_main =
        |element: &Element<'_>| element.name == "main" || element.attribute("role") == Some("main");
    page.find(&is_main, &mut found);
    if found.is_empty() {
        page.find(&|element| element.name == "article", &mut found);
        found.truncate(if found.len() > 1 { 0 } else { 1 });
    }
    found.into_iter().next()
}

struct Writer<'a> {
    /// What links are relative to.
    base: &'a Address,
}

impl Writer<'_> {
    /// Paragraphs, lists, tables and so on, each as Markdown by itself.
    fn blocks(&self, nodes: &[Node<'_>]) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut paragraph = Inline::default();
        for node in nodes {
            match node {
                Node::Element(element) if is_dropped(element) => {}
                Node::Element(element) if is_block(&element.name) || has_blocks(element) => {
                    push(&mut blocks, paragraph.take());
                    self.block(element, &mut blocks);
                }
                node => self.inline(node, &mut paragraph),
            }
        }
        push(&mut blocks, paragraph.take());
        blocks
    }

    fn block(&self, element: &Element<'_>, blocks: &mut Vec<String>) {
        match element.name.as_ref() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = usize::from(element.name.as_bytes()[1] - b'0');
                let text = self.line(&element.children);
                if !text.is_empty() {
                    blocks.push(format!("{} {text}", "#".repeat(level)));
                }
            }
            "ul" | "menu" => push(blocks, self.list(element, None)),
            "ol" => {
                let start = element.attribute("start").and_then(|start| start.trim().parse().ok());
                push(blocks, self.list(element, Some(start.unwrap_or(1))));
            }
            // A point without a list.
            "li" => push(blocks, indent("- ", &self.blocks(&element.children).join("\n\n"))),
            "dt" | "summary" if !has_blocks(element) => {
                let text = self.line(&element.children);
                if !text.is_empty() {
                    blocks.push(format!("**{text}**"));
                }
            }
            "blockquote" => {
                let text = self.blocks(&element.children).join("\n\n");
                let lines = text.lines().map(|line| format!("> {line}").trim_end().to_owned());
                push(blocks, lines.collect::<Vec<_>>().join("\n"));
            }
            "pre" => push(blocks, code_block(element)),
            "hr" => blocks.push("---".to_owned()),
            "table" => self.table(element, blocks),
            "a" => {
                // A link around whole blocks: the first of them is what it says.
                let mut within = self.blocks(&element.children);
                if let (Some(first), Some(target)) = (within.first_mut(), self.target(element)) {
                    let marks = first.len() - first.trim_start_matches(['#', ' ']).len();
                    let is_line = !first.contains('\n') && !first.contains("](");
                    if is_line && (marks > 0 || !first.starts_with(['>', '-', '|', '`'])) {
                        let (marks, text) = first.split_at(marks);
                        *first = format!("{marks}[{text}]({target})");
                    }
                }
                blocks.append(&mut within);
            }
            _ => blocks.append(&mut self.blocks(&element.children)),
        }
    }

    fn list(&self, list: &Element<'_>, start: Option<usize>) -> String {
        let mut items = Vec::new();
        let mut is_tight = true;
        let mut number = start;
        for node in &list.children {
            let blocks = match node {
                Node::Element(item) if is_dropped(item) => continue,
                Node::Element(item) if item.name == "li" => self.blocks(&item.children),
                // A list in a list, without a point of its own.
                node => self.blocks(std::slice::from_ref(node)),
            };
            if blocks.is_empty() {
                continue;
            }
            // Lists within are no reason to set points apart; a second paragraph is.
            let is_list = |block: &String| {
                block.starts_with("- ") || block.starts_with(|c: char| c.is_ascii_digit())
            };
            let is_plain = blocks.iter().skip(1).all(is_list);
            is_tight &= is_plain;
            let text = blocks.join(if is_plain { "\n" } else { "\n\n" });
            let marker = match &mut number {
                Some(number) => {
                    *number += 1;
                    format!("{}. ", *number - 1)
                }
                None => "- ".to_owned(),
            };
            items.push(indent(&marker, &text));
        }
        items.join(if is_tight { "\n" } else { "\n\n" })
    }

    fn table(&self, table: &Element<'_>, blocks: &mut Vec<String>) {
        let mut rows = Vec::new();
        let mut nested = Vec::new();
        for part in table.elements() {
            match part.name.as_ref() {
                "caption" => blocks.append(&mut self.blocks(&part.children)),
                "tr" => rows.push(part),
                "thead" | "tbody" | "tfoot" => {
                    rows.extend(part.elements().filter(|row| row.name == "tr"));
                }
                _ => {}
            }
            part.find(&|element| element.name == "table", &mut nested);
        }
        let cells: Vec<Vec<&Element<'_>>> = rows
            .iter()
            .filter(|row| !is_dropped(row))
            .map(|row| {
                row.elements().filter(|cell| matches!(cell.name.as_ref(), "td" | "th")).collect()
            })
            .filter(|cells: &Vec<_>| !cells.is_empty())
            .collect();
        let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
        // A table of one column or around another one is there for the looks of the page.
        if columns < 2 || !nested.is_empty() {
            for cell in cells.into_iter().flatten() {
                blocks.append(&mut self.blocks(&cell.children));
            }
            return;
        }
        let mut lines: Vec<Vec<String>> = cells.iter().map(|row| self.row(row)).collect();
        let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
        let has_head = cells.first().is_some_and(|row| row.iter().all(|cell| cell.name == "th"));
        if !has_head {
            lines.insert(0, Vec::new());
        }
        let mut text = Vec::new();
        for (index, mut line) in lines.into_iter().enumerate() {
            line.resize(columns, String::new());
            text.push(format!("| {} |", line.join(" | ")));
            if index == 0 {
                text.push(format!("|{}", " --- |".repeat(columns)));
            }
        }
        blocks.push(text.join("\n"));
    }

    fn row(&self, cells: &[&Element<'_>]) -> Vec<String> {
        let mut row = Vec::new();
        for cell in cells.iter().take(MAX_COLUMNS) {
            row.push(self.line(&cell.children).replace('|', "\\|"));
            let span = cell.attribute("colspan").and_then(|span| span.trim().parse().ok());
            let span = span.unwrap_or(1).clamp(1, MAX_COLUMNS);
            row.resize(row.len() + span - 1, String::new());
        }
        row.truncate(MAX_COLUMNS);
        row
    }

    /// All that lies within, in one line.
    fn line(&self, nodes: &[Node<'_>]) -> String {
        let mut inline = Inline::default();
        for node in nodes {
            self.inline(node, &mut inline);
        }
        inline.take().replace("  \n", " ").replace('\n', " ")
    }

    fn inline(&self, node: &Node<'_>, out: &mut Inline) {
        let element = match node {
            Node::Text(text) => return out.text(text),
            Node::Element(element) if is_dropped(element) => return,
            Node::Element(element) => element,
        };
        match element.name.as_ref() {
            "br" => out.line_break(),
            "wbr" => {}
            "img" => {
                let alt = words(element.attribute("alt").unwrap_or_default());
                let source = element.attribute("src").and_then(|source| self.base.join(source));
                // Without a description there is nothing to read.
                if let (false, Some(source)) = (alt.is_empty(), source) {
                    out.raw(&format!("![{}]({})", escape(&alt), destination(&source)));
                }
            }
            "a" => match self.target(element) {
                Some(target) => {
                    let text = self.line(&element.children);
                    let text = if text.starts_with("![") { text } else { brackets(&text) };
                    out.around(&text, "[", &format!("]({target})"));
                }
                // A sign that only leads to itself.
                None if words(&element.text()).chars().all(|c| !c.is_alphanumeric()) => {}
                None => self.inlines(element, out),
            },
            "strong" | "b" => self.emphasis(element, "**", out),
            "em" | "i" | "cite" | "dfn" => self.emphasis(element, "*", out),
            "del" | "s" | "strike" => self.emphasis(element, "~~", out),
            "code" | "kbd" | "samp" | "tt" => {
                let code = words(&element.text());
                if !code.is_empty() {
                    let fence = "`".repeat(longest_run(&code) + 1);
                    let room = if code.starts_with('`') || code.ends_with('`') { " " } else { "" };
                    out.raw(&format!("{fence}{room}{code}{room}{fence}"));
                }
            }
            "q" => {
                out.text("“");
                self.inlines(element, out);
                out.text("”");
            }
            // Blocks where there is room for a line only.
            name if is_block(name) => {
                out.text(" ");
                self.inlines(element, out);
                out.text(" ");
            }
            _ => self.inlines(element, out),
        }
    }

    fn inlines(&self, element: &Element<'_>, out: &mut Inline) {
        for node in &element.children {
            self.inline(node, out);
        }
    }

    fn emphasis(&self, element: &Element<'_>, mark: &str, out: &mut Inline) {
        let mut within = Inline::default();
        self.inlines(element, &mut within);
        let (starts, ends) = (within.starts_with_space(), within.ends_with_space());
        if starts {
            out.text(" ");
        }
        let text = within.take();
        // Twice the same around the same says nothing more, and reads as something else.
        let is_marked = text.starts_with(mark) || text.ends_with(mark) || text.contains('\n');
        out.around(&text, if is_marked { "" } else { mark }, if is_marked { "" } else { mark });
        if ends {
            out.text(" ");
        }
    }

    /// What a link leads to, as it is written behind its text. Nothing if it leads nowhere else.
    fn target(&self, link: &Element<'_>) -> Option<String> {
        let href = link.attribute("href")?;
        if href.trim_start().starts_with('#') {
            return None;
        }
        self.base.join(href).map(|target| destination(&target))
    }
}

/// Text that flows: runs of white space are one space.
#[derive(Default)]
struct Inline {
    text: String,
    /// White space came first.
    has_lead: bool,
}

impl Inline {
    fn text(&mut self, text: &str) {
        let mut word = String::new();
        for c in text.chars() {
            if matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c' | '\u{a0}' | '\u{200b}') {
                self.word(&mut word);
                self.space();
            } else {
                word.push(c);
            }
        }
        self.word(&mut word);
    }

    fn word(&mut self, word: &mut String) {
        if !word.is_empty() {
            self.text.push_str(&escape(word));
            word.clear();
        }
    }

    fn space(&mut self) {
        if self.text.is_empty() {
            self.has_lead = true;
        } else if !self.text.ends_with([' ', '\n']) {
            self.text.push(' ');
        }
    }

    fn line_break(&mut self) {
        if !self.text.is_empty() {
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.text.push_str("  \n");
        }
    }

    /// Markdown as it is.
    fn raw(&mut self, markdown: &str) {
        self.text.push_str(markdown);
    }

    fn around(&mut self, text: &str, before: &str, after: &str) {
        if !text.is_empty() {
            self.raw(before);
            self.raw(text);
            self.raw(after);
        }
    }

    fn starts_with_space(&self) -> bool {
        self.has_lead
    }

    fn ends_with_space(&self) -> bool {
        self.text.ends_with([' ', '\n'])
    }

    /// The paragraph so far. What would make something else of a line at its beginning is escaped.
    fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        self.has_lead = false;
        text.trim().lines().map(escape_start).collect::<Vec<_>>().join("\n")
    }
}

/// Escapes what Markdown would take for marks of its own, and nothing else: this is to be read.
fn escape(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    let mut chars = word.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        let is_mark = match c {
            '\\' => after.is_ascii_punctuation(),
            '`' | '*' => true,
            // Within a word it marks nothing.
            '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
            '<' => after.is_ascii_alphabetic() || matches!(after, '/' | '!' | '?'),
            ']' => matches!(after, '(' | '['),
            _ => false,
        };
        if is_mark {
            escaped.push('\\');
        }
        escaped.push(c);
        before = c;
    }
    escaped
}

/// Escapes what makes a heading, a list or a quotation of a line.
fn escape_start(line: &str) -> String {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = &line[digits..];
    let at = if digits > 0 && digits < 10 && (rest.starts_with(". ") || rest.starts_with(") ")) {
        digits
    } else if digits == 0
        && (line.starts_with(['>', '|'])
            || ["- ", "+ ", "---", "==="].iter().any(|mark| line.starts_with(mark))
            || line.trim_start_matches('#').starts_with(' ') && line.starts_with('#')
            || line.starts_with("~~~"))
    {
        0
    } else {
        return line.to_owned();
    };
    format!("{}\\{}", &line[..at], &line[at..])
}

/// Escapes the brackets in the text of a link, except those of what is Markdown already.
fn brackets(text: &str) -> String {
    if text.contains("](") {
        return text.to_owned();
    }
    text.replace('[', "\\[").replace(']', "\\]")
}

/// An address as it is written behind the text of a link.
fn destination(address: &str) -> String {
    if address.contains(['(', ')']) { format!("<{address}>") } else { address.to_owned() }
}

fn code_block(pre: &Element<'_>) -> String {
    let code = pre.text();
    let code = code.strip_prefix('\n').unwrap_or(&code).trim_end();
    if code.trim().is_empty() {
        return String::new();
    }
    let within = pre.elements().next().filter(|element| element.name == "code");
    let language = [within, Some(pre)]
        .into_iter()
        .flatten()
        .filter_map(|element| element.attribute("class"))
        .flat_map(str::split_whitespace)
        .find_map(|class| {
            let prefixes = ["language-", "lang-", "highlight-source-"];
            prefixes.iter().find_map(|prefix| class.strip_prefix(prefix))
        })
        .unwrap_or_default();
    let fence = "`".repeat(longest_run(code).max(2) + 1);
    format!("{fence}{language}\n{code}\n{fence}")
}

/// How many backticks follow each other at most.
fn longest_run(code: &str) -> usize {
    code.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Puts a marker before the first line, and as much room before the others.
fn indent(marker: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let room = " ".repeat(marker.len());
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if !line.is_empty() {
            out.push_str(if index > 0 { &room } else { marker });
            out.push_str(line);
        }
    }
    out
}

fn push(blocks: &mut Vec<String>, block: String) {
    if !block.is_empty() {
        blocks.push(block);
    }
}

/// The words with one space between them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn has_blocks(element: &Element<'_>) -> bool {
    element
        .elements()
        .any(|child| !is_dropped(child) && (is_block(&child.name) || has_blocks(child)))
}

/// What is not there to be read: programs, controls, what leads around the site, what is hidden.
fn is_dropped(element: &Element<'_>) -> bool {
    let is_decoration = matches!(
        element.name.as_ref(),
        "head"
            | "script"
            | "style"
            | "noscript"
            | "template"
            | "svg"
            | "math"
            | "canvas"
            | "iframe"
            | "object"
            | "embed"
            | "audio"
            | "video"
            | "map"
            | "button"
            | "select"
            | "textarea"
            | "input"
            | "datalist"
            | "progress"
            | "meter"
            | "nav"
            | "dialog"
            | "footer"
            | "title"
            | "link"
            | "meta"
    );
    is_decoration
        || element.attribute("hidden").is_some_and(|hidden| hidden != "until-found")
        || element.attribute("aria-hidden") == Some("true")
        || matches!(
            element.attribute("role"),
            Some("navigation" | "search" | "dialog" | "contentinfo")
        )
        || element.attribute("style").is_some_and(|style| {
            let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
            style.to_ascii_lowercase().contains("display:none")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(html: &str) -> String {
        let address = Address::parse("https://example.com/docs/page").unwrap();
        convert(html, &address).markdown
    }

    #[test]
    fn an_article_reads_like_one() {
        let html = r#"<!doctype html><html><head><title>T</title><style>p{}</style></head><body>
            <nav><a href="/">Home</a></nav>
            <h1>A <em>good</em>  day</h1>
            <p>Some <strong>bold </strong>text, a <a href="../x?y=1">link</a>,
            <code>a`b</code> &amp; 2 &lt; 3.<br>Next line</p>
            <ul><li>one</li><li>two<ol><li>a<li>b</ol></li></ul>
            <ol start=3><li><p>x</p><p>y</p></li><li>z</li></ol>
            <pre><code class="hl language-rust">fn main() {
    println!("```");
}
</code></pre>
            <blockquote><p>said</p><p>again</p></blockquote><hr>
            <img src="a.png" alt="A picture"><img src="b.png">
            <script>alert(1)</script><footer>no</footer></body></html>"#;
        let expected = "# A *good* day\n\n\
            Some **bold** text, a [link](https://example.com/x?y=1), ``a`b`` & 2 < 3.  \nNext line\n\n\
            - one\n- two\n  1. a\n  2. b\n\n\
            3. x\n\n   y\n\n4. z\n\n\
            ````rust\nfn main() {\n    println!(\"```\");\n}\n````\n\n\
            > said\n>\n> again\n\n---\n\n\
            ![A picture](https://example.com/docs/a.png)";
        assert_eq!(markdown(html), expected);
    }

    #[test]
    fn tables_are_tables_unless_they_are_layout() {
        let html = "<table><caption>C</caption><thead><tr><th>A<th>B</thead>\
            <tr><td>1<td>x|y<tr><td colspan=2>z</table>";
        assert_eq!(markdown(html), "C\n\n| A | B |\n| --- | --- |\n| 1 | x\\|y |\n| z |  |");
        let html = "<table><tr><td>1<td><p>2<ul><li>3</table>";
        assert_eq!(markdown(html), "|  |  |\n| --- | --- |\n| 1 | 2 3 |");
        assert_eq!(markdown("<table><tr><td><h2>a</h2><p>b</table>"), "## a\n\nb");
        assert_eq!(markdown("<table><tr><td colspan=999999999><td>b</table>").lines().count(), 3);
    }

    #[test]
    fn links_around_blocks_keep_their_target() {
        let html = "<a href='/x'><h2>Head</h2><p>text</p></a><a href='#here'>here</a><a href='#'>§</a>\
            <a href='/a(b)'>[c]</a> <a href='javascript:x()'>d</a>";
        let expected = "## [Head](https://example.com/x)\n\ntext\n\n\
            here[\\[c\\]](<https://example.com/a(b)>) d";
        assert_eq!(markdown(html), expected);
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(
            markdown("<p># no *head* snake_case _x_ &lt;b&gt;"),
            "\\# no \\*head\\* snake_case \\_x\\_ \\<b>"
        );
        assert_eq!(markdown("<p>1. no list<br>- no point"), "1\\. no list  \n\\- no point");
        assert_eq!(
            markdown("<div>a<div hidden>b</div><span style='display: none'>c</span> d</div>"),
            "a d"
        );
    }

    #[test]
    fn the_main_part_is_taken() {
        let long = "word ".repeat(60);
        let html = format!("<div>menu</div><main><p>{long}</p></main><div>after</div>");
        assert_eq!(markdown(&html), long.trim());
        assert_eq!(markdown("<div>menu</div><main>short</main>"), "menu\n\nshort");
    }
}
