# Runs much of the interpreter, without end.
import json,re,hashlib,collections
while True:
    d=[dict(a=i,b=str(i),c=[i]*3) for i in range(300)]
    s=json.dumps(d); json.loads(s); re.sub(r'(\d+)','x\\1',s); sorted(d,key=lambda x:x['b'])
    collections.Counter(s); hashlib.sha256(s.encode()).hexdigest(); f"{3.14:.3f}"
