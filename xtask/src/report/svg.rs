//! Small charts as SVG: lines and points on linear or logarithmic axes.

use std::fmt::Write as _;

/// One curve.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// Joined by a line; else points alone.
    pub(super) is_line: bool,
    /// Drawn thin and dashed: a limit, not a measurement.
    pub(super) is_limit: bool,
    /// The place in the colours; the series' own place where none is given.
    pub(super) colour: Option<usize>,
    /// Pattern of the line, as SVG has it; empty is solid.
    pub(super) dash: &'static str,
}

impl Series {
    fn style(&self) -> String {
        match (self.is_limit, self.dash) {
            (true, _) => "stroke-width=\"1.2\" stroke-dasharray=\"5 4\"".to_owned(),
            (false, "") => "stroke-width=\"2\"".to_owned(),
            (false, dash) => format!("stroke-width=\"2\" stroke-dasharray=\"{dash}\""),
        }
    }
}

/// One chart.
#[derive(Clone, Debug, Default)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) log_x: bool,
    pub(super) log_y: bool,
    pub(super) series: Vec<Series>,
    /// Names of places on x, at 0, 1, 2 …, instead of numbers.
    pub(super) names: Vec<String>,
}

/// From the left edge to the end of the area.
const AREA: f64 = 550.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 76.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 56.0;
/// Distinct for most colour blindness, readable on white and on dark grey.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"];

/// One axis: from data to pixels.
struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, is_log: bool, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|v| v.is_finite() && (!is_log || *v > 0.0)) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        if is_log {
            // Whole decades would waste half of the area; a margin of a tenth does not.
            (low, high) = (low / 1.25, high * 1.25);
        } else {
            (low, high) = (low.min(0.0), if high > 0.0 { high * 1.08 } else { 1.0 });
        }
        Self { low, high, is_log, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let steps: &[f64] = if self.high / self.low > 2e3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let first = self.low.log10().floor() as i32;
            let last = self.high.log10().ceil() as i32;
            let all = (first..=last).flat_map(|e| steps.iter().map(move |s| s * 10f64.powi(e)));
            return all.filter(|v| (self.low..=self.high).contains(v)).collect();
        }
        let rough = (self.high - self.low) / 5.0;
        let unit = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|s| s * unit).find(|s| *s >= rough).unwrap_or(rough);
        let count = ((self.high - self.low) / step) as usize;
        (0..=count).map(|i| (self.low / step).ceil() * step + i as f64 * step).collect()
    }
}

/// A number as briefly as it can be said.
fn number(value: f64) -> String {
    let (divided, suffix) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e4 => (value / 1e3, "k"),
        v if v > 0.0 && v < 1e-3 => return format!("{value:.0e}"),
        _ => (value, ""),
    };
    let text = format!("{divided:.3}");
    format!("{}{suffix}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Text without what XML reads as its own.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Chart {
    /// Whether there is anything to see.
    pub(super) fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.is_limit || series.points.is_empty())
    }

    /// Room for the legend's longest name.
    fn width(&self) -> f64 {
        let longest = self.series.iter().map(|series| series.name.chars().count()).max().unwrap_or(0);
        AREA + (46.0 + 6.8 * longest as f64).max(210.0)
    }

    /// The chart as a document of its own.
    pub(super) fn to_svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let x = match self.names.len() {
            0 => Axis::new(points().map(|p| p.0), self.log_x, LEFT, AREA),
            // Half a place of margin on either side.
            count => Axis { low: -0.5, high: count as f64 - 0.5, is_log: false, from: LEFT, to: AREA },
        };
        let y = Axis::new(points().map(|p| p.1), self.log_y, HEIGHT - BOTTOM, TOP);
        let width = self.width();
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\" role=\"img\" aria-label=\"{title}\">\n<rect width=\"{width}\" height=\"{HEIGHT}\" \
             fill=\"#ffffff\"/>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{title}</text>\n",
            title = escape(&self.title)
        );
        self.axes(&mut svg, &x, &y);
        for (index, series) in self.series.iter().enumerate() {
            let place = series.colour.unwrap_or(index);
            let colour = if series.is_limit { "#555555" } else { COLOURS[place % COLOURS.len()] };
            // The second time round the colours, points are hollow.
            let fill = if place < COLOURS.len() { colour } else { "#ffffff" };
            draw(&mut svg, series, &x, &y, (colour, fill));
            let (lx, ly) = (AREA + 14.0, TOP + 10.0 + 18.0 * index as f64);
            let _ = writeln!(
                svg,
                "<line x1=\"{lx}\" y1=\"{ly}\" x2=\"{}\" y2=\"{ly}\" stroke=\"{colour}\" {}/>\
                 <text x=\"{}\" y=\"{}\">{}</text>",
                lx + 18.0,
                series.style(),
                lx + 24.0,
                ly + 4.0,
                escape(&series.name)
            );
            if !series.is_limit {
                point(&mut svg, (lx + 9.0, ly), (colour, fill), series.dash);
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn axes(&self, svg: &mut String, x: &Axis, y: &Axis) {
        for tick in y.ticks() {
            let at = y.at(tick);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                AREA,
                LEFT - 6.0,
                at + 4.0,
                number(tick)
            );
        }
        let named = self.names.iter().enumerate().map(|(at, name)| (at as f64, escape(name)));
        let ticks: Vec<(f64, String)> = match self.names.len() {
            0 => x.ticks().into_iter().map(|tick| (tick, number(tick))).collect(),
            _ => named.collect(),
        };
        for (tick, name) in ticks {
            let at = x.at(tick);
            let base = HEIGHT - BOTTOM;
            let _ = writeln!(
                svg,
                "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{base}\" stroke=\"#eeeeee\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
                base + 16.0
            );
        }
        let middle = (LEFT + AREA) / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 14.0,
            escape(&self.x),
            (TOP + HEIGHT - BOTTOM) / 2.0,
            escape(&self.y)
        );
    }
}

fn draw(svg: &mut String, series: &Series, x: &Axis, y: &Axis, (colour, fill): (&str, &str)) {
    let inside = |p: &&(f64, f64)| {
        p.0.is_finite() && p.1.is_finite() && (!x.is_log || p.0 > 0.0) && (!y.is_log || p.1 > 0.0)
    };
    let places: Vec<(f64, f64)> =
        series.points.iter().filter(inside).map(|p| (x.at(p.0), y.at(p.1))).collect();
    if series.is_line || series.is_limit {
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let style = series.style();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" {style}/>",
            path.join(" ")
        );
    }
    if !series.is_limit {
        for place in places {
            point(svg, place, (colour, fill), series.dash);
        }
    } else if let Some((x, y)) = places.last() {
        // Where limits of several kinds are drawn alike, each says which it is.
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"11\" fill=\"{colour}\">{}</text>",
            x - 4.0,
            y - 6.0,
            escape(&series.name)
        );
    }
}

/// A mark: another shape for each pattern of line, so that points without lines are told apart too.
fn point(svg: &mut String, (x, y): (f64, f64), (colour, fill): (&str, &str), dash: &str) {
    let style = format!("fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"1.5\"");
    let _ = match dash {
        "" => writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" {style}/>"),
        "6 3" => {
            writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\" {style}/>",
                x - 3.5,
                y - 3.5
            )
        }
        _ => writeln!(
            svg,
            "<polygon points=\"{x:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\" {style}/>",
            y - 4.5,
            x - 4.0,
            y + 3.0,
            x + 4.0,
            y + 3.0
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_lie_inside_and_increase() {
        for (values, is_log) in [(vec![0.002, 4000.0], true), (vec![3.0, 17.0], false), (vec![5.0], true)] {
            let axis = Axis::new(values.into_iter(), is_log, 0.0, 100.0);
            let ticks = axis.ticks();
            assert!(ticks.len() >= 2 || is_log, "{ticks:?}");
            assert!(ticks.is_sorted());
            assert!(ticks.iter().all(|t| (-1e-6..=100.0 + 1e-6).contains(&axis.at(*t))), "{ticks:?}");
        }
    }

    #[test]
    fn nothing_breaks_the_document() {
        let series = Series {
            name: "a < b & \"c\"".into(),
            points: vec![(1.0, f64::NAN), (0.0, 1.0), (2.0, 3.0)],
            is_line: true,
            ..Series::default()
        };
        let chart =
            Chart { title: "t".into(), log_x: true, log_y: true, series: vec![series], ..Chart::default() };
        let svg = chart.to_svg();
        assert!(svg.contains("a &lt; b &amp; &quot;c&quot;") && !svg.contains("NaN"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2, "the point, and the legend's");
    }
}
