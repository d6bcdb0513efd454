"""What the demo courses say."""

from __future__ import annotations

from dataclasses import dataclass

from course_service.schemas.course import CourseLevel
from course_service.seed import quizzes
from course_service.seed.quizzes import DemoQuiz
from course_service.services.course import slug_of


@dataclass(frozen=True, slots=True)
class DemoLesson:
    """A published lesson of kind text; its body is Markdown."""

    title: str
    duration_minutes: int
    body: str
    is_preview: bool = False


@dataclass(frozen=True, slots=True)
class DemoModule:
    """A module of a demo course: lessons, then a quiz about them."""

    title: str
    lessons: tuple[DemoLesson, ...]
    quiz: DemoQuiz


@dataclass(frozen=True, slots=True)
class DemoCourse:
    """A course by one of the demo instructors."""

    instructor_email: str
    title: str
    description: str
    level: CourseLevel
    modules: tuple[DemoModule, ...]

    @property
    def slug(self) -> str:
        """What the course is known by, also when it was renamed."""
        return slug_of(self.title)


FIRST_INSTRUCTOR = "instructor1@demo.smartcourse.example"
SECOND_INSTRUCTOR = "instructor2@demo.smartcourse.example"

PYTHON = DemoCourse(
    instructor_email=FIRST_INSTRUCTOR,
    title="Python from the First Line",
    description="Learn to program by writing small programs that do something useful. No experience is needed.",
    level=CourseLevel.BEGINNER,
    modules=(
        DemoModule(
            title="Values and names",
            quiz=quizzes.VALUES,
            lessons=(
                DemoLesson(
                    title="A program is a list of instructions",
                    duration_minutes=6,
                    is_preview=True,
                    body="""\
Save this as `hello.py` and run it with `python3 hello.py`:

```python
print("Hello")
print(2 + 3)
```

Python reads the file from the top and does one line after the other. `print` writes a value to the screen. Text is
put in quotes; numbers are not.

**Try it.** Take away one of the quotes and run the program again. Read the last line of what Python answers: it names
the line and what it could not understand. You will meet this message often; it is there to help.
""",
                ),
                DemoLesson(
                    title="Names for values",
                    duration_minutes=8,
                    body="""\
An `=` gives a value a name:

```python
price = 4.20
count = 3
total = price * count
print(total)
```

The right-hand side is worked out first, then the name on the left refers to the result. `total` does not change when
`price` is given another value later: it was worked out once.

**Exercise.** Write a program that turns a temperature in degrees Celsius into Fahrenheit. The rule is
`fahrenheit = celsius * 9 / 5 + 32`.
""",
                ),
            ),
        ),
        DemoModule(
            title="Decisions and repetition",
            quiz=quizzes.REPETITION,
            lessons=(
                DemoLesson(
                    title="If, else and what counts as true",
                    duration_minutes=9,
                    body="""\
```python
age = int(input("How old are you? "))
if age < 18:
    print("A ticket costs 5.")
else:
    print("A ticket costs 9.")
```

The indented lines belong to the `if`. `<`, `<=`, `==` and `!=` compare two values and give `True` or `False`. Mind the
difference between `=`, which names, and `==`, which asks.

An empty text, an empty list, zero and `None` count as false wherever a condition is wanted.
""",
                ),
                DemoLesson(
                    title="Doing something for each of many",
                    duration_minutes=10,
                    body="""\
```python
shopping = ["bread", "apples", "rice"]
for item in shopping:
    print("Buy", item)
print("That was", len(shopping), "things.")
```

The body of the loop runs once for each member of the list. The last line is not indented, so it runs once, at the end.

**Exercise.** Print only those items that are longer than four letters. `len("bread")` is 5.
""",
                ),
            ),
        ),
    ),
)

DATABASES = DemoCourse(
    instructor_email=FIRST_INSTRUCTOR,
    title="Relational Databases in Practice",
    description="Model data in tables, ask questions in SQL, and let the database keep your data right.",
    level=CourseLevel.INTERMEDIATE,
    modules=(
        DemoModule(
            title="Tables that tell the truth",
            quiz=quizzes.TABLES,
            lessons=(
                DemoLesson(
                    title="One fact in one place",
                    duration_minutes=8,
                    is_preview=True,
                    body="""\
A list of orders that repeats each customer's address has many places to change when somebody moves, and sooner or
later two of them disagree. Keep customers in a table of their own, and let each order name its customer:

```sql
CREATE TABLE customers (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL,
    address text NOT NULL
);

CREATE TABLE orders (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers (id),
    ordered_at  timestamptz NOT NULL DEFAULT now()
);
```

An order for a customer who does not exist is now impossible, not merely unlikely.
""",
                ),
                DemoLesson(
                    title="Constraints are cheaper than repairs",
                    duration_minutes=7,
                    body="""\
Every rule that the database checks is a rule that no program can forget:

- `NOT NULL`: a value is always there.
- `UNIQUE`: no two rows share it.
- `CHECK (quantity > 0)`: it makes sense.
- `REFERENCES`: what it points to exists.

Write the rule when the table is made. Adding it later means finding and repairing the rows that already break it.
""",
                ),
            ),
        ),
        DemoModule(
            title="Questions in SQL",
            quiz=quizzes.QUESTIONS,
            lessons=(
                DemoLesson(
                    title="Joining tables",
                    duration_minutes=10,
                    body="""\
```sql
SELECT c.name, count(o.id) AS orders
FROM customers AS c
LEFT JOIN orders AS o ON o.customer_id = c.id
GROUP BY c.id
ORDER BY orders DESC, c.name;
```

`LEFT JOIN` keeps customers without orders; for them `o.id` is null, and `count(o.id)` counts no nulls, so it shows 0.
With a plain `JOIN` they would be missing from the answer.
""",
                ),
                DemoLesson(
                    title="All or nothing: transactions",
                    duration_minutes=9,
                    body="""\
Taking money from one account and adding it to another are two statements. Between them the money is nowhere.

```sql
BEGIN;
UPDATE accounts SET balance = balance - 50 WHERE id = 1;
UPDATE accounts SET balance = balance + 50 WHERE id = 2;
COMMIT;
```

Others see both changes or neither, even if the server loses power before `COMMIT` was answered. `ROLLBACK` takes back
everything since `BEGIN`.
""",
                ),
            ),
        ),
    ),
)

WRITING = DemoCourse(
    instructor_email=SECOND_INSTRUCTOR,
    title="Clear Writing at Work",
    description="Say what you mean in mails, reports and instructions, so that readers understand you the first time.",
    level=CourseLevel.BEGINNER,
    modules=(
        DemoModule(
            title="Before you write",
            quiz=quizzes.READERS,
            lessons=(
                DemoLesson(
                    title="Who reads it, and what for?",
                    duration_minutes=5,
                    is_preview=True,
                    body="""\
Write down two sentences before anything else:

1. Who will read this, and what do they know already?
2. What should they know or do when they have read it?

If you can't answer the second, you are not ready to write; if the answer is "nothing", nobody needs to read it.

**Exercise.** Take the last mail you sent. Could its reader find in the first two lines what you wanted from them?
""",
                ),
                DemoLesson(
                    title="The important thing first",
                    duration_minutes=6,
                    body="""\
Readers stop early. Put the result, the request or the decision at the beginning, and the reasons after it.

> *Please approve the second offer by Thursday. It costs 300 more than the first, but includes the repair of the
> roof, which we would have to pay for in spring.*

Somebody who reads only the first sentence still knows what to do.
""",
                ),
            ),
        ),
        DemoModule(
            title="Sentence by sentence",
            quiz=quizzes.SENTENCES,
            lessons=(
                DemoLesson(
                    title="Name who does what",
                    duration_minutes=6,
                    body="""\
"It was decided that the office will be closed" hides who decided. "The board closes the office on Friday" is shorter
and answers the reader's next question.

Look for *was done*, *is carried out*, *took place*. Ask who did it, and make them the subject.
""",
                ),
                DemoLesson(
                    title="Cut what does no work",
                    duration_minutes=7,
                    body="""\
Read each sentence without one of its words. If nothing is lost, leave the word out.

- *in order to* → to
- *at this point in time* → now
- *due to the fact that* → because

**Exercise.** Shorten a page of yours by a third without losing a fact. Leave it for a day, then do it again.
""",
                ),
            ),
        ),
    ),
)

DEMO_COURSES = (PYTHON, DATABASES, WRITING)
