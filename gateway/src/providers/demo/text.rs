//! What the demo provider says, in English and Chinese.

use super::seed::Seed;

/// The language of a question; Chinese where it has Chinese characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

impl Language {
    pub fn of(text: &str) -> Self {
        let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        if text.chars().any(is_han) { Self::Chinese } else { Self::English }
    }
}

/// Characters of the user's words that are repeated back.
const QUOTE_CHARS_MAX: usize = 160;

const ABOUT_EN: [&str; 6] = [
    "Tollgate holds an upper bound of the price before a request leaves, and settles to the nano-dollar once the answer's usage is known.",
    "Every charge is an event in an append-only log; the ledger you can audit is a fold of that log, so it can be rebuilt from nothing and compared bit for bit.",
    "A gateway relays the provider's bytes and changes only what must differ: the id, the model's name, the provider, the usage.",
    "If a client leaves in the middle of a stream, what was produced is still counted, and the hold that was left over is released.",
    "Channels are tried by priority and weight; when one fails before its first byte, the next one answers and nobody notices.",
    "Prices are kept in pico-dollars per token, so that even the cheapest cached token is charged without rounding until the very end.",
];
const ABOUT_ZH: [&str; 6] = [
    "Tollgate 会在请求发出之前先冻结一个费用上限，等到回答的用量确定之后，再精确结算到纳美元。",
    "每一笔扣费都是追加日志里的一个事件；账本由日志折叠而成，因此可以从零重建，并且逐位比对。",
    "网关原样转发上游的字节，只替换必须不同的部分：编号、模型名、提供方和用量。",
    "如果客户端在流式输出中途断开，已经生成的内容照样计量，多冻结的金额会立即释放。",
    "渠道按优先级和权重依次尝试；某个渠道在首字节之前失败，就由下一个渠道来回答。",
    "价格以每个 token 多少皮美元保存，再便宜的缓存 token 也只在最后四舍五入一次。",
];
const OPENINGS_EN: [&str; 3] = [
    "I am Tollgate's built-in demo model: no real model is thinking here, but the stream, the token counts and the bill are real.",
    "You have reached the demo model that ships with Tollgate. My words are canned; the metering around them is not.",
    "This answer comes from Tollgate's demo provider, which needs no account anywhere.",
];
const OPENINGS_ZH: [&str; 3] = [
    "我是 Tollgate 内置的演示模型：背后没有真正的大模型，但流式输出、token 计数和账单都是真的。",
    "你现在用的是 Tollgate 自带的演示模型。我的话是预先写好的，围绕它的计量和计费却是真实的。",
    "这个回答来自 Tollgate 的演示提供方，不需要任何外部账号。",
];
const CLOSINGS_EN: [&str; 3] = [
    "Add a channel with your own key, and the same request will be answered by a real model.",
    "Look at the `usage` object of this answer: its cost is exactly what the ledger has booked.",
    "Ask for `/api/v1/generation` with this answer's id to see what it cost and why.",
];
const CLOSINGS_ZH: [&str; 3] = [
    "配置一个带有你自己密钥的渠道，同样的请求就会由真正的模型来回答。",
    "看看这个回答里的 `usage`：其中的费用与账本记下的分毫不差。",
    "用这个回答的编号查询 `/api/v1/generation`，就能看到它花了多少钱、为什么。",
];

/// An answer to a question.
pub fn answer(question: &str, image_count: usize, seed: &mut Seed) -> String {
    let language = Language::of(question);
    let (openings, about, closings) = match language {
        Language::English => (OPENINGS_EN, ABOUT_EN, CLOSINGS_EN),
        Language::Chinese => (OPENINGS_ZH, ABOUT_ZH, CLOSINGS_ZH),
    };
    let mut paragraphs = vec![greeting(question, language).unwrap_or_default() + seed.pick(&openings).unwrap_or_default()];
    if let Some(quoted) = quote(question) {
        paragraphs.push(match language {
            Language::English => format!("You asked: “{quoted}”"),
            Language::Chinese => format!("你的问题是：“{quoted}”"),
        });
    }
    if image_count > 0 {
        paragraphs.push(match (language, image_count) {
            (Language::English, 1) => "I can tell that you sent an image, and being a demo I shall only say that it arrived.".to_owned(),
            (Language::English, count) => {
                format!("I can tell that you sent {count} images, and being a demo I shall only say that they arrived.")
            }
            (Language::Chinese, count) => format!("我看到你附上了 {count} 张图片；作为演示模型，我只能确认它们已经送达。"),
        });
    }
    let sentence_count = if wants_length(question) { about.len() } else { 2 };
    let first = seed.next() as usize % about.len();
    paragraphs.extend((0..sentence_count).map(|step| about[(first + step) % about.len()].to_owned()));
    paragraphs.extend(seed.pick(&closings).map(str::to_owned));
    paragraphs.join("\n\n")
}

/// The answer after a tool was called.
pub fn answer_after_tool(question: &str, result: &str, seed: &mut Seed) -> String {
    let result = quote(result).unwrap_or_default();
    let closing = |closings: &[&'static str], seed: &mut Seed| seed.pick(closings).unwrap_or_default();
    match Language::of(question) {
        Language::English => format!("The tool answered: {result}\n\nThat is what I would tell you. {}", closing(&CLOSINGS_EN, seed)),
        Language::Chinese => format!("工具返回了：{result}\n\n这就是我的答案。{}", closing(&CLOSINGS_ZH, seed)),
    }
}

/// What the thinking model says to itself.
pub fn reasoning(question: &str) -> String {
    let quoted = quote(question).unwrap_or_default();
    match Language::of(question) {
        Language::English => format!(
            "The user wrote “{quoted}”. I am a demo, so I should say so first, repeat the question to show that it arrived, \
             and then tell one or two true things about how Tollgate meters and bills. Short paragraphs will stream nicely."
        ),
        Language::Chinese => {
            format!(
                "用户写道“{quoted}”。我是演示模型，应当先说明这一点，再复述问题，然后讲一两件关于 Tollgate 计量与计费的真实情况。分成短段落，流式输出会更好看。"
            )
        }
    }
}

fn greeting(question: &str, language: Language) -> Option<String> {
    let lower = question.trim().to_lowercase();
    let greets = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
    match language {
        Language::English => greets(&["hi", "hello", "hey", "good morning"]).then(|| "Hello! ".to_owned()),
        Language::Chinese => greets(&["你好", "您好", "嗨"]).then(|| "你好！".to_owned()),
    }
}

fn wants_length(question: &str) -> bool {
    let lower = question.to_lowercase();
    ["essay", "story", "long", "detail", "paragraphs", "详细", "文章", "故事", "长"].iter().any(|word| lower.contains(word))
}

/// The beginning of the user's words, on one line.
fn quote(text: &str) -> Option<String> {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut quoted: String = line.chars().take(QUOTE_CHARS_MAX).collect();
    if quoted.len() < line.len() {
        quoted.push('…');
    }
    (!quoted.is_empty()).then_some(quoted)
}
