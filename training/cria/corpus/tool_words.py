"""The vocabulary of made-up tools, training and held-out, and tools as people write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.cria.corpus.tables import spaced

__all__ = [
    "ADJECTIVES",
    "HELD",
    "REAL",
    "REAL_HELD",
    "TRAIN",
    "Arg",
    "ArgKind",
    "Real",
    "Vocabulary",
]

ArgKind = Literal[
    "word", "name", "city", "phrase", "number", "enum", "date", "code", "bool", "decimal"
]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Parts of tool names, argument names by kind, and words of enumerations."""

    verbs: tuple[str, ...]
    nouns: tuple[str, ...]
    args: dict[ArgKind, tuple[str, ...]]
    enums: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Arg:
    """An argument of a real-looking tool."""

    name: str
    kind: ArgKind
    about: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Real:
    """A tool as people write them, with requests in which {arg} stands for the value."""

    names: tuple[str, ...]
    about: str
    args: tuple[Arg, ...]
    asks: tuple[str, ...]


ADJECTIVES = spaced(
    "new old daily weekly open closed public private local remote active main current "
    "next last shared hidden free full short long fast cheap"
)
TRAIN = Vocabulary(
    spaced(
        "get set find list create delete update send show start stop open close read write "
        "add remove check count search book cancel play make load save move copy print call "
        "fetch lookup convert measure paint lock unlock rent order ship track sort"
    ),
    spaced(
        "weather news mail message song movie ticket flight train hotel room table lamp door "
        "window car bike boat price stock order invoice bill account user group file folder "
        "image video note task event meeting alarm timer clock map route city country street "
        "house garden plant tree animal dog cat fish recipe meal drink pizza book page word "
        "letter report sensor heater pump robot printer screen camera phone game score team "
        "player match course lesson test exam grade patient doctor drug bank loan tax salary "
        "contract parcel package shop product cart coupon review comment post photo album "
        "playlist channel"
    ),
    {
        "word": spaced(
        "item object thing topic subject kind label tag key term keyword material category "
        "color brand model genre style"
    ),
        "name": spaced(
        "name person user customer owner author sender receiver friend contact guest member "
        "player"
    ),
        "city": spaced(
        "city place location town destination origin region area station"
    ),
        "phrase": spaced(
        "text title query message body content description comment subject_line reason note "
        "caption question"
    ),
        "number": spaced(
        "count number amount size age year limit width height weight length days hours "
        "minutes quantity price level page distance volume"
    ),
        "enum": spaced(
        "unit mode type status color_mode speed size_class priority language format order "
        "direction"
    ),
        "date": ("date", "day", "start_date", "end_date", "due_date", "when"),
        "code": ("id", "code", "reference", "order_id", "ticket_number", "user_id", "serial"),
        "bool": ("urgent", "enabled", "public", "silent", "recursive"),
        "decimal": spaced("share factor dose rent_due latitude mass"),
    },
    (("celsius", "fahrenheit"), ("low", "medium", "high"), ("small", "medium", "large"),
     ("on", "off"), ("open", "closed"), ("red", "green", "blue"), ("fast", "slow"),
     ("asc", "desc"), ("metric", "imperial"), ("left", "right"), ("day", "week", "month"),
     ("pdf", "html", "text"), ("public", "private"), ("first", "second", "third"),
     ("english", "german", "french")),
)  # fmt: skip
HELD = Vocabulary(
    spaced(
        "query schedule activate archive inspect reserve publish retrieve compose dispatch "
        "register compute"
    ),
    spaced(
        "satellite aquarium elevator podcast vineyard lighthouse telescope warehouse passport "
        "orchestra subscription thermostat ferry museum locker drone greenhouse mortgage "
        "helmet beehive"
    ),
    {
        "word": ("flavor", "species", "ingredient"),
        "name": ("captain", "tenant", "recipient"),
        "city": ("harbor", "venue", "district"),
        "phrase": ("summary", "remark", "headline"),
        "number": ("altitude", "capacity", "duration", "voltage"),
        "enum": ("intensity", "scale", "shift"),
        "date": ("deadline", "departure"),
        "code": ("barcode", "voucher"),
        "bool": ("insured", "encrypted"),
    },
    (("kelvin", "rankine"), ("weak", "strong"), ("dawn", "noon", "dusk"), ("bronze", "silver",
    "gold")),
)  # fmt: skip

_C = Arg("city", "city", "The name of the city")

REAL: tuple[Real, ...] = (
    Real(("get_weather", "weather", "getWeather", "get_current_weather", "weather_lookup"),
         "Get the current weather in a city", (_C,), (
        "What is the weather in {city}?", "How is the weather in {city}?", "weather in {city}",
        "Is it raining in {city}?", "Tell me the weather in {city}.", "Is it warm in {city}?",
        "What's the weather like in {city}?", "Do I need an umbrella in {city}?")),
    Real(("get_temperature", "temperature", "currentTemperature"), "Get the temperature in a city",
         (_C, Arg("unit", "enum", "The unit", ("celsius", "fahrenheit"))), (
        "What is the temperature in {city} in {unit}?", "How warm is it in {city}, in {unit}?",
        "Temperature of {city} in {unit}, please.", "Give me the {unit} temperature in {city}.")),
    Real(("get_time", "current_time", "getTime"), "Get the current time in a place",
         (Arg("place", "city", "The place"),), (
        "What time is it in {place}?", "Tell me the time in {place}.", "time in {place}",
        "How late is it in {place}?")),
    Real(("add", "add_numbers", "sum", "calculator_add"), "Add two numbers",
         (Arg("a", "number", "First number"), Arg("b", "number", "Second number")), (
        "What is {a} + {b}?", "Add {a} and {b}.", "Use the tool to add {a} and {b}.",
        "What is the sum of {a} and {b}?")),
    Real(("multiply", "multiply_numbers", "product"), "Multiply two numbers",
         (Arg("a", "number", "First number"), Arg("b", "number", "Second number")), (
        "What is {a} times {b}?", "Multiply {a} by {b}.", "Multiply {a} and {b}.",
        "{a} times {b}")),
    Real(("search", "web_search", "searchWeb", "search_web"), "Search the web",
         (Arg("query", "phrase", "What to search for"),), (
        "Search for {query}.", "Search the web for {query}.", "Look up {query} on the web.",
        "Find pages about {query}.", "search {query}")),
    Real(("send_email", "sendMail", "email", "send_mail"), "Send an email to a person",
         (Arg("to", "name", "Who gets it"), Arg("subject", "phrase", "The subject")), (
        "Send an email to {to} with the subject {subject}.", "Email {to} about {subject}.",
        "Write {to} a mail with subject {subject}.", "Send {to} an email about {subject}.")),
    Real(("set_timer", "timer", "startTimer"), "Start a timer",
         (Arg("minutes", "number", "How many minutes"),), (
        "Set a timer for {minutes} minutes.", "Start a timer of {minutes} minutes.",
        "Wake me in {minutes} minutes.", "timer {minutes} minutes", "Timer for {minutes} min.")),
    Real(("set_light", "light", "switch_light", "setLamp"), "Switch the light in a room",
         (Arg("room", "word", "The room"), Arg("state", "enum", "On or off", ("on", "off"))), (
        "Turn the light in the {room} {state}.", "Switch {state} the light in the {room}.",
        "Light {state} in the {room}, please.", "Turn {state} the lamp in the {room}.")),
    Real(("play_music", "playSong", "play"), "Play a song", (Arg("song", "phrase", "The song"),), (
        "Play {song}.", "Play the song {song}.", "I want to hear {song}.", "Put on {song}.")),
    Real(("get_stock_price", "stock_price", "getQuote"), "Get the price of a stock",
         (Arg("symbol", "code", "The symbol of the stock"),), (
        "What is the price of {symbol}?", "How is the stock {symbol} doing?",
        "Stock price of {symbol}?", "Get me the stock price of {symbol}.")),
    Real(("translate", "translate_text", "translator"), "Translate a text into a language",
         (Arg("text", "phrase", "The text"), Arg("language", "enum", "The language",
                                                ("german", "french", "spanish", "italian"))), (
        "Translate {text} into {language}.", "How do you say {text} in {language}?",
        "What is {text} in {language}?", "Give me {text} in {language}.")),
    Real(("create_event", "add_event", "addMeeting"), "Add an event to the calendar",
         (Arg("title", "phrase", "The title"), Arg("date", "date", "The date")), (
        "Add {title} to my calendar on {date}.", "Create an event {title} on {date}.",
        "Put {title} in the calendar for {date}.", "Plan {title} for {date}.")),
    Real(("read_file", "readFile", "open_file"), "Read a file", (Arg("path", "code",
    "The path"),), (
        "Read the file {path}.", "What is in {path}?", "Show me the file {path}.", "Open {path}.")),
    Real(("find_contact", "get_phone_number", "lookupContact"), "Find the phone number of a person",
         (Arg("name", "name", "The person"),), (
        "What is the phone number of {name}?", "Find the number of {name}.",
        "How can I call {name}?", "Give me the contact of {name}.")),
    Real(("get_route", "route", "directions"), "Find the way from one place to another",
         (Arg("start", "city", "Where it begins"), Arg("end", "city", "Where it ends")), (
        "How do I get from {start} to {end}?", "Find the way from {start} to {end}.",
        "Route from {start} to {end}.", "Show me the directions from {start} to {end}.")),
    Real(("roll_dice", "dice", "rollDice"), "Roll dice",
         (Arg("sides", "number", "Sides of the die"),), (
        "Roll a die with {sides} sides.", "Roll dice with {sides} sides.",
        "roll a {sides} sided die")),
    Real(("get_user", "find_user", "userById"), "Get a user by id", (Arg("id", "code",
    "The id"),), (
        "Who is the user {id}?", "Get the user with id {id}.", "Show user {id}.")),
)  # fmt: skip
REAL_HELD: tuple[Real, ...] = (
    Real(("get_forecast", "weatherForecast"), "Get the weather forecast for a town",
         (Arg("town", "city", "The town"), Arg("days", "number", "How many days")), (
        "What is the forecast for {town} for {days} days?", "Forecast for {town}, {days} days.")),
    Real(("subtract", "minus_tool"), "Subtract one number from another",
         (Arg("x", "number", "The first number"), Arg("y", "number", "What is taken away")), (
        "Use the tool for {x} minus {y}.", "Subtract with the tool: {x} minus {y}.")),
    Real(("find_restaurant", "searchRestaurant"), "Find a restaurant in a district",
         (Arg("district", "city", "The district"),), (
        "Find a restaurant in {district}.", "Which restaurant is there in {district}?")),
    Real(("send_message", "chat_message"), "Send a short message to a friend",
         (Arg("friend", "name", "Who gets it"), Arg("text", "phrase", "The message")), (
        "Send a message to {friend}: {text}.", "Message {friend} with the text {text}.")),
    Real(("set_alarm", "alarmClock"), "Set an alarm", (Arg("hour", "number", "The hour"),), (
        "Set an alarm for {hour} o'clock.", "Alarm at hour {hour}, please.")),
    Real(("delete_file", "removeFile"), "Delete a file", (Arg("file", "code", "The file"),), (
        "Delete the file {file}.", "Please delete {file}.")),
    Real(("get_population", "populationOf"), "Get the population of a country",
         (Arg("country", "city", "The country"),), (
        "What is the population of {country}?", "Population of {country}?")),
    Real(("set_heater", "heaterLevel"), "Set the level of the heater in a room",
         (Arg("room", "word", "The room"), Arg("level", "enum", "The level", ("low", "high"))), (
        "Set the heater in the {room} to {level}.", "Heater in the {room}: {level}.")),
    Real(("track_parcel", "parcelStatus"), "Track a parcel", (Arg("parcel", "code", "Its code"),), (
        "Where is my parcel {parcel}?", "Track the parcel {parcel}.")),
    Real(("find_book", "bookSearch"), "Find a book by its author",
         (Arg("author", "name", "The author"),), (
        "Find a book by {author}.", "Which book is by the author {author}?")),
)  # fmt: skip
