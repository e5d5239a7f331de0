"""Tables of everyday knowledge: capitals, colours, opposites, animals, plurals, rhymes."""

from __future__ import annotations

from training.cria.corpus.tables import paired

__all__ = ["ANIMALS", "CAPITALS", "COLOURS", "DAYS", "HABITATS", "KINDS", "LEGS", "MONTHS",
"OPPOSITES", "PLURALS", "RHYMES", "SHAPES", "SOUNDS", "YOUNG"]  # fmt: skip


CAPITALS = paired(
    "France=Paris, Germany=Berlin, Italy=Rome, Spain=Madrid, Portugal=Lisbon, England=London, "
    "Ireland=Dublin, Norway=Oslo, Sweden=Stockholm, Finland=Helsinki, Denmark=Copenhagen, "
    "Iceland=Reykjavik, Poland=Warsaw, Austria=Vienna, Switzerland=Bern, Belgium=Brussels, "
    "the Netherlands=Amsterdam, Greece=Athens, Turkey=Ankara, Hungary=Budapest, "
    "the Czech Republic=Prague, Romania=Bucharest, Bulgaria=Sofia, Ukraine=Kyiv, Russia=Moscow, "
    "Estonia=Tallinn, Latvia=Riga, Lithuania=Vilnius, Croatia=Zagreb, Serbia=Belgrade, "
    "Japan=Tokyo, China=Beijing, South Korea=Seoul, India=New Delhi, Nepal=Kathmandu, "
    "Thailand=Bangkok, Vietnam=Hanoi, Indonesia=Jakarta, the Philippines=Manila, Iran=Tehran, "
    "Iraq=Baghdad, Israel=Jerusalem, Egypt=Cairo, Morocco=Rabat, Tunisia=Tunis, Kenya=Nairobi, "
    "Ethiopia=Addis Ababa, Nigeria=Abuja, Ghana=Accra, Senegal=Dakar, Canada=Ottawa, "
    "the United States=Washington, Mexico=Mexico City, Cuba=Havana, Brazil=Brasilia, "
    "Argentina=Buenos Aires, Chile=Santiago, Peru=Lima, Bolivia=Sucre, Ecuador=Quito, "
    "Colombia=Bogota, Venezuela=Caracas, Uruguay=Montevideo, Australia=Canberra, "
    "New Zealand=Wellington"
)
COLOURS = paired(
    "the sky=blue, grass=green, snow=white, a banana=yellow, a lemon=yellow, blood=red, "
    "a strawberry=red, a tomato=red, coal=black, a raven=black, milk=white, an elephant=grey, "
    "chocolate=brown, the sun=yellow, a leaf=green, a frog=green, a carrot=orange, "
    "a pumpkin=orange, a plum=purple, a cherry=red, a swan=white, a flamingo=pink, a pig=pink, "
    "the sea=blue, a cucumber=green, a crow=black, cotton=white, salt=white, sugar=white, "
    "coffee=brown, a chestnut=brown, a polar bear=white, a fire engine=red, a mouse=grey, "
    "an orange=orange, spinach=green, a sunflower=yellow, a brick=red, rice=white, gold=yellow"
)
OPPOSITES = paired(
    "hot=cold, big=small, tall=short, fast=slow, good=bad, happy=sad, old=young, new=old, "
    "open=closed, up=down, left=right, in=out, day=night, black=white, hard=soft, wet=dry, "
    "full=empty, light=dark, heavy=light, high=low, long=short, rich=poor, strong=weak, "
    "thick=thin, wide=narrow, clean=dirty, early=late, easy=difficult, loud=quiet, near=far, "
    "right=wrong, safe=dangerous, sweet=bitter, true=false, warm=cool, win=lose, buy=sell, "
    "push=pull, start=stop, begin=end, come=go, give=take, laugh=cry, love=hate, remember=forget, "
    "sit=stand, sleep=wake, ask=answer, always=never, first=last, front=back, inside=outside, "
    "top=bottom, summer=winter, north=south, east=west, friend=enemy, peace=war, life=death, "
    "more=less, many=few, smooth=rough, sharp=blunt, brave=afraid, cheap=expensive, deep=shallow, "
    "before=after, above=below, yes=no"
)
SOUNDS = paired(
    "dog=woof, cat=meow, cow=moo, sheep=baa, pig=oink, duck=quack, horse=neigh, donkey=hee-haw, "
    "rooster=cock-a-doodle-doo, hen=cluck, bee=buzz, snake=hiss, lion=roar, mouse=squeak, "
    "frog=croak, owl=hoot, crow=caw, wolf=howl, bird=tweet, goat=maa, turkey=gobble, pigeon=coo"
)
YOUNG = paired(
    "dog=puppy, cat=kitten, cow=calf, sheep=lamb, pig=piglet, duck=duckling, horse=foal, "
    "hen=chick, "
    "lion=cub, bear=cub, wolf=cub, fox=cub, goat=kid, deer=fawn, swan=cygnet, frog=tadpole, "
    "kangaroo=joey, llama=cria, alpaca=cria, goose=gosling, owl=owlet, elephant=calf, whale=calf, "
    "rabbit=kit, eagle=eaglet, butterfly=caterpillar, seal=pup, tiger=cub"
)
LEGS = paired(
    "dog=4, cat=4, cow=4, horse=4, bird=2, duck=2, hen=2, spider=8, ant=6, bee=6, beetle=6, "
    "butterfly=6, snake=0, fish=0, frog=4, human=2, elephant=4, lion=4, fly=6, octopus=8, "
    "penguin=2, mouse=4, sheep=4, worm=0, scorpion=8"
)
HABITATS = paired(
    "fish=the water, bee=a hive, bird=a nest, lion=the savanna, camel=the desert, "
    "polar bear=the Arctic, penguin=the Antarctic, spider=a web, rabbit=a burrow, fox=a den, "
    "horse=a stable, dog=a kennel, pig=a sty, monkey=the jungle, whale=the sea, owl=the forest, "
    "hen=a coop, frog=a pond, bat=a cave, llama=the mountains"
)
PLURALS = paired(
    "cat=cats, dog=dogs, house=houses, tree=trees, book=books, car=cars, box=boxes, fox=foxes, "
    "bus=buses, dish=dishes, church=churches, child=children, man=men, woman=women, foot=feet, "
    "tooth=teeth, goose=geese, mouse=mice, person=people, ox=oxen, sheep=sheep, fish=fish, "
    "deer=deer, leaf=leaves, knife=knives, wolf=wolves, life=lives, wife=wives, half=halves, "
    "shelf=shelves, city=cities, baby=babies, lady=ladies, story=stories, country=countries, "
    "party=parties, boy=boys, day=days, key=keys, potato=potatoes, tomato=tomatoes, hero=heroes, "
    "photo=photos, piano=pianos, llama=llamas, cria=crias, apple=apples, glass=glasses, "
    "watch=watches, brush=brushes, model=models, token=tokens"
)
SHAPES = paired("triangle=3, square=4, rectangle=4, pentagon=5, hexagon=6, octagon=8, circle=0")
KINDS = paired(
    "apple=a fruit, banana=a fruit, pear=a fruit, cherry=a fruit, carrot=a vegetable, "
    "cabbage=a vegetable, spinach=a vegetable, onion=a vegetable, dog=an animal, cat=an animal, "
    "horse=an animal, rose=a flower, tulip=a flower, daisy=a flower, oak=a tree, pine=a tree, "
    "birch=a tree, hammer=a tool, saw=a tool, piano=an instrument, violin=an instrument, "
    "flute=an instrument, drum=an instrument, chair=furniture, table=furniture, shirt=clothing, "
    "coat=clothing, eagle=a bird, sparrow=a bird, robin=a bird, salmon=a fish, trout=a fish, "
    "shark=a fish, ant=an insect, bee=an insect, iron=a metal, copper=a metal, silver=a metal, "
    "red=a colour, blue=a colour, Monday=a day, July=a month, summer=a season, winter=a season"
)
RHYMES = (
    "cat hat mat bat rat", "dog fog log frog", "sun fun run bun", "day play way say may",
    "night light bright sight", "tree bee sea free", "moon spoon soon noon",
    "house mouse", "star car far jar", "ring sing king wing", "ball tall wall fall",
    "snow go slow glow", "rain train chain plain", "cake lake snake bake", "boat goat coat",
    "bed red head", "book look cook hook", "king sing thing", "nose rose hose", "pen hen ten men",
    "pig big dig wig", "blue two shoe true", "hill mill still pill", "ship trip lip tip",
    "sand hand land band", "clock sock rock lock", "bear chair hair pear", "door floor four more",
    "nut hut cut", "fish dish wish",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
ANIMALS = tuple(sorted({*SOUNDS, *YOUNG, *LEGS}))
