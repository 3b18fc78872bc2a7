//! One HTML page of a run or a sweep, whole in itself: its data, its script, its style, and nothing from anywhere else.
//!
//! What is in the files of results goes into the page as JSON, and the page's own script makes text of it. So nothing that
//! a scenario says can become markup. Charts are drawn from the same [`Figure`]s as the pictures of `plot`.

mod data;

use super::figure::Figure;
use super::results::Results;

const TEMPLATE: &str = include_str!("template.html");
const STYLE: &str = include_str!("page.css");
/// In the order in which they need each other.
const SCRIPTS: [&str; 4] =
    [include_str!("dom.js"), include_str!("chart.js"), include_str!("chooser.js"), include_str!("page.js")];

/// The page of one run or one sweep, with charts of the figures.
///
/// # Errors
/// What a file holds that the page cannot be made from: file, line and what is wrong.
pub fn page(results: &Results, figures: &[Figure]) -> Result<String, String> {
    let data = data::of(results, figures)?;
    let title = format!("{} – {}", data["name"].as_str().unwrap_or("results"), data["title"].as_str().unwrap_or(""));
    let parts = [
        ("title", escaped(&title)),
        ("style", STYLE.to_string()),
        ("data", embedded(&data.to_string())),
        ("script", SCRIPTS.concat()),
    ];
    Ok(filled(TEMPLATE, &parts))
}

/// The template with each `{{name}}` replaced. What is put in is not looked at again: a scenario may say `{{data}}`.
fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = template.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").expect("what the template opens it closes");
        let (_, part) = parts.iter().find(|(part, _)| *part == name).expect("the template has known names only");
        text.push_str(part);
        text.push_str(rest);
    }
    text
}

/// A text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// JSON that may stand in a script element: without `<` nothing ends the element or begins a comment.
fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_the_template_is_not_looked_at_again() {
        let parts = [("a", "{{b}}".to_string()), ("b", "x".to_string())];
        assert_eq!(filled("1 {{a}} 2 {{b}} 3", &parts), "1 {{b}} 2 x 3");
    }

    #[test]
    fn no_text_ends_the_element_it_stands_in() {
        let text = embedded(&serde_json::json!({ "about": "</script><!-- <script>" }).to_string());
        assert!(!text.contains('<'), "{text}");
        let back: serde_json::Value = serde_json::from_str(&text).expect("it is still JSON");
        assert_eq!(back["about"], "</script><!-- <script>");
        assert_eq!(escaped("<b title=\"x\">&"), "&lt;b title=&quot;x&quot;&gt;&amp;");
    }

    #[test]
    fn the_pages_own_parts_end_no_element_and_load_nothing() {
        for part in SCRIPTS {
            assert!(!part.contains("</") && !part.contains("<!--") && !part.contains("innerHTML"));
        }
        for part in SCRIPTS.into_iter().chain([STYLE, TEMPLATE]) {
            let addresses = part.replace("http://www.w3.org/2000/svg", "");
            assert!(!addresses.contains("http") || addresses.contains("http-equiv"), "only its own parts");
            assert!(!part.contains("@import") && !part.contains("url(//") && !part.contains("src="));
        }
        let size = TEMPLATE.len() + STYLE.len() + SCRIPTS.iter().map(|part| part.len()).sum::<usize>();
        assert!(size < 200_000, "{size} bytes");
    }
}
